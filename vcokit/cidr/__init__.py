"""IPv4 prefix algebra on whole columns, independent of routes and of the cloud.

================  =================================================================
`parse`           text ⇄ columns of (network, length, flags)
`relations`       which prefix covers which, within groups and between columns
`longest_match`   the longest prefix that contains each address
`sets`            aggregate, subtract, intersect, complement
`scalar`          one prefix as a value, `Cidr`
`suggest`         what a malformed cell most likely means
`array`           the pandas type ``cidr``: `CidrDtype`, `CidrArray`
`interop`         the pandas index of such a column, and its Arrow type for Parquet files
`accessor`        ``Series.cidr``: all of this on columns of text and of cidr
================  =================================================================
"""
