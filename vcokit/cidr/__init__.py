"""IPv4 prefix algebra on whole columns; knows no route and no cloud.

=============  ==================================================================
`parse`        text ⇄ (network, length, flags)
`ordering`     the order of sortable numbers, fast
`relations`    which prefix holds which, within groups and between sets
`lookup`       which prefix an address falls to; text and numbers → addresses
`segments`     a value for every address
`sets`         aggregate, subtract, intersect, complement
`scalar`       one prefix as a value, `Cidr`
`array`        the pandas type ``cidr``: `CidrDtype`, `CidrArray`
`keyed`        what pandas does by value, on integer keys
`index`        an index of prefixes, by the same keys
`coerce`       whatever holds prefixes → network and length, and the keys
`arrow`        the Arrow type that Parquet files keep
`accessor`     ``Series.cidr``: all of this on columns of text and of cidr
`read`         what ``Series.cidr`` is asked of and about → network and length
`explain`      one bad cell: what is wrong with it, and its right form
=============  ==================================================================
"""
