"""IPv4 prefix algebra on whole columns; knows no route and no cloud.

=============  ==================================================================
`parse`        text ⇄ (network, length, flags)
`ordering`     the order of sortable numbers, fast
`relations`    which prefix holds which, within groups and between sets
`lookup`       which prefix an address falls to; text and numbers → addresses
`segments`     a value for every address
`sets`         aggregate, subtract, intersect, complement
`array`        the accessor ``Series.cidr``
`explain`      one bad cell: what is wrong with it, and its right form
=============  ==================================================================
"""
