"""IPv4 prefix algebra on whole columns; knows no route and no cloud.

=============  ===========================================================
`parse`        text ⇄ (network, length, flags)
`relations`    which prefix holds which
`array`        the accessor ``Series.cidr``
`explain`      one bad cell: what is wrong with it, and its right form
=============  ===========================================================
"""
