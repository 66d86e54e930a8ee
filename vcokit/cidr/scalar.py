"""One IPv4 prefix as a value, and the grammar of IPv4 text.

A `Cidr` is one integer, its *key*: ``network << 6 | length``. Order, equality and hash of prefixes
are those of their keys: ordered by network, then by length with the shorter prefix first.
"""

from __future__ import annotations

import ipaddress
import operator
import re
import reprlib
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, SupportsIndex, TypeAlias

if TYPE_CHECKING:
    import netaddr

    #: Types from which a prefix can be created.
    Prefix: TypeAlias = "Cidr | str | ipaddress.IPv4Network | netaddr.IPNetwork"

#: Bits of the length in a key; the network is above them.
LENGTH_BITS: Final = 6
LENGTH_MASK: Final = (1 << LENGTH_BITS) - 1
_ALL_ONES: Final = 0xFFFFFFFF

#: An address as a regular expression: ASCII digits, octets 0-255 without leading zeros. It has no
#: groups, and Arrow supports it too.
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
ADDRESS: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
#: A prefix length, 0-32, in the same form.
LENGTH: Final = "(?:3[0-2]|[12]?[0-9])"
_PREFIX: Final = re.compile(rf"({ADDRESS})/({LENGTH})")


class Cidr:
    """An IPv4 prefix: a network address and a length; ordered, hashable, immutable.

    Parameters
    ----------
    value : str, Cidr, ipaddress.IPv4Network, netaddr.IPNetwork or int
        Text is ``a.b.c.d/len`` in the strict form of `vcokit.cidr.parse`. A number is the network
        address, and the length is the second argument.
    length : int, optional
        0-32; only if `value` is a number.

    Raises
    ------
    ValueError
        The text is not a prefix, the length is not 0-32, or host bits are set. The message says
        what to write instead.
    TypeError
        The value has another type. An IPv6 prefix, a bare address and an
        ``ipaddress.IPv4Interface`` are not prefixes either.

    Notes
    -----
    The operator ``in`` tests whether a prefix contains an address or a prefix. A `Cidr` is not
    iterable, because pandas treats iterable values as lists. It is only equal to another `Cidr`.

    Examples
    --------
    >>> net = Cidr("10.0.0.0/8")
    >>> net, str(net), net.network, net.prefix_length
    (Cidr('10.0.0.0/8'), '10.0.0.0/8', 167772160, 8)
    >>> "10.1.2.3" in net, Cidr("10.1.0.0/16") in net, Cidr("0.0.0.0/0") in net
    (True, True, False)
    >>> Cidr("10.0.0.0/8") < Cidr("10.0.0.0/16") < Cidr("10.1.0.0/16")
    True
    >>> Cidr("10.1.2.3/16")
    Traceback (most recent call last):
        ...
    ValueError: '10.1.2.3/16' has host bits set; its network is '10.1.0.0/16'
    """

    __slots__ = ("_key",)
    _key: int

    def __new__(cls, value: Prefix | SupportsIndex, length: SupportsIndex | None = None) -> Cidr:  # noqa: D102
        if length is not None:
            return _from_numbers(value, length)
        if isinstance(value, Cidr):
            return value
        if isinstance(value, str):
            return _from_text(value)
        if isinstance(value, ipaddress.IPv4Network):
            return from_key(int(value.network_address) << LENGTH_BITS | value.prefixlen)
        return _from_netaddr(value)

    @property
    def network(self) -> int:
        """Network address as a number, 0 to 2**32 - 1.

        Examples
        --------
        >>> Cidr("0.0.1.0/24").network
        256
        """
        return self._key >> LENGTH_BITS

    @property
    def prefix_length(self) -> int:
        """Prefix length, 0-32.

        Examples
        --------
        >>> Cidr("0.0.1.0/24").prefix_length
        24
        """
        return self._key & LENGTH_MASK

    @property
    def last(self) -> int:
        """Last address as a number.

        Examples
        --------
        >>> Cidr("10.0.0.0/30").last - Cidr("10.0.0.0/30").network
        3
        """
        return self.network | _ALL_ONES >> self.prefix_length

    def to_ipaddress(self) -> ipaddress.IPv4Network:
        """Return the prefix as a network of the standard library.

        Examples
        --------
        >>> Cidr("10.0.0.0/8").to_ipaddress()
        IPv4Network('10.0.0.0/8')
        """
        return ipaddress.IPv4Network((self.network, self.prefix_length))

    def to_netaddr(self) -> netaddr.IPNetwork:
        """Return the prefix as a network of netaddr.

        Examples
        --------
        >>> Cidr("10.0.0.0/8").to_netaddr()
        IPNetwork('10.0.0.0/8')
        """
        import netaddr

        return netaddr.IPNetwork((self.network, self.prefix_length))

    def __contains__(self, item: object) -> bool:
        first, last = _span(item)
        return self.network <= first and last <= self.last

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.network.to_bytes(4)))}/{self.prefix_length}"

    def __repr__(self) -> str:
        return f"Cidr('{self}')"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Cidr) else NotImplemented

    def __lt__(self, other: Cidr) -> bool:
        return self._key < other._key if isinstance(other, Cidr) else NotImplemented

    def __le__(self, other: Cidr) -> bool:
        return self._key <= other._key if isinstance(other, Cidr) else NotImplemented

    def __gt__(self, other: Cidr) -> bool:
        return self._key > other._key if isinstance(other, Cidr) else NotImplemented

    def __ge__(self, other: Cidr) -> bool:
        return self._key >= other._key if isinstance(other, Cidr) else NotImplemented

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Cidr cannot be changed: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Cidr cannot be changed: {name}")

    def __reduce__(self) -> tuple[type[Cidr], tuple[int, int]]:
        return Cidr, (self.network, self.prefix_length)


def from_key(key: int) -> Cidr:
    """Return the prefix with a given key."""
    result = object.__new__(Cidr)
    object.__setattr__(result, "_key", key)
    return result


def key_of(prefix: Cidr) -> int:
    """Return the key of a prefix."""
    return prefix._key


def address_number(text: str) -> int:
    """Return an address that matches `ADDRESS` as a number."""
    return int.from_bytes(map(int, text.split(".")), "big")


def netmask_length(mask: int) -> int | None:
    """Return the prefix length of a network mask, or None if it is not a valid mask.

    Examples
    --------
    >>> netmask_length(0xFFFFFF00), netmask_length(0xFF00FF00)
    (24, None)
    """
    hosts = mask ^ _ALL_ONES
    return None if hosts & (hosts + 1) else 32 - hosts.bit_count()


def _from_numbers(value: Any, length: SupportsIndex) -> Cidr:
    if isinstance(value, (str, Cidr)):
        raise TypeError(f"{value!r} already has a length: leave out the second argument")
    network, bits = operator.index(value), operator.index(length)
    if not 0 <= bits <= 32:
        raise ValueError(f"{bits} is not a prefix length: it is 0 to 32")
    if not 0 <= network <= _ALL_ONES:
        raise ValueError(f"{network} is not an IPv4 address: it is 0 to 2**32 - 1")
    return _checked(network, bits, f"{ipaddress.IPv4Address(network)}/{bits}")


def _from_text(text: str) -> Cidr:
    match = _PREFIX.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a.b.c.d/len{_meant(text)}")
    return _checked(address_number(match[1]), int(match[2]), text)


def _meant(text: str) -> str:
    """Return what was most likely meant, as the end of a message."""
    # Imported here, because suggest.py imports this module.
    from vcokit.cidr.suggest import suggest

    suggestion = suggest(text)
    return f"; write {suggestion!r}" if suggestion else ""


def _from_netaddr(value: Any) -> Cidr:
    netaddr = sys.modules.get("netaddr")  # already imported if the value is an IPNetwork
    if netaddr is None or not isinstance(value, netaddr.IPNetwork) or value.version != 4:
        raise TypeError(
            f"{reprlib.repr(value)} is not an IPv4 prefix: write a.b.c.d/len, or "
            "Cidr(network, length)"
        )
    return _checked(int(value.ip), value.prefixlen, str(value))


def _checked(network: int, length: int, text: str) -> Cidr:
    """Return the prefix; raise if host bits are set."""
    clear = network & ~(_ALL_ONES >> length)
    found = from_key(clear << LENGTH_BITS | length)
    if clear != network:
        raise ValueError(f"{text!r} has host bits set; its network is '{found}'")
    return found


def _span(item: Any) -> tuple[int, int]:
    """Return first and last address of an address or a prefix."""
    if isinstance(item, ipaddress.IPv4Address) and not isinstance(item, ipaddress.IPv4Interface):
        return int(item), int(item)
    if isinstance(item, str) and "/" not in item:
        address = int(ipaddress.IPv4Address(item))
        return address, address
    if isinstance(item, SupportsIndex) and getattr(item, "version", 4) == 4:  # netaddr has version
        address = operator.index(item)
        return address, address
    prefix = Cidr(item)
    return prefix.network, prefix.last
