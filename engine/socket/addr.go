//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

// Addresses of sockets.

package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Addr is the address of a socket: an IP address with a port, or the path of a unix socket. It is
// a net.Addr, and comparable. The zero Addr is that of a socket without an address.
type Addr struct {
	network string
	ip      netip.AddrPort
	path    string
}

// Network returns the network, such as "tcp".
func (a Addr) Network() string { return a.network }

// AddrPort returns the IP address and port; it is invalid if a has none.
func (a Addr) AddrPort() netip.AddrPort { return a.ip }

// Path returns the path of a unix socket. One in Linux's abstract name space begins with an @.
func (a Addr) Path() string { return a.path }

// IsValid reports whether a is an address.
func (a Addr) IsValid() bool { return a.network != "" }

// String returns host:port, [host]:port or the path.
func (a Addr) String() string {
	if a.ip.IsValid() {
		return a.ip.String()
	}
	return a.path
}

// familyOf returns the address family and the socket type of a network.
func familyOf(network string) (family, kind int, err error) {
	switch network {
	case "tcp", "tcp4":
		return unix.AF_INET, unix.SOCK_STREAM, nil
	case "tcp6":
		return unix.AF_INET6, unix.SOCK_STREAM, nil
	case "udp", "udp4":
		return unix.AF_INET, unix.SOCK_DGRAM, nil
	case "udp6":
		return unix.AF_INET6, unix.SOCK_DGRAM, nil
	case "unix":
		return unix.AF_UNIX, unix.SOCK_STREAM, nil
	case "unixgram":
		return unix.AF_UNIX, unix.SOCK_DGRAM, nil
	}
	return 0, 0, fmt.Errorf("network %q: %w", network, unix.EPROTONOSUPPORT)
}

// ParseAddr parses an address of the network: a path, or host:port. The host is an IP address, "localhost",
// or empty, which stands for every address of the machine. ParseAddr does not look up other names, because
// that would block the loop; Listen and Dial do.
func ParseAddr(network, address string) (Addr, error) {
	family, _, err := familyOf(network)
	if err != nil {
		return Addr{}, err
	}
	if family == unix.AF_UNIX {
		return Addr{network: network, path: address}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return Addr{}, err // "missing port in address", for example
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return Addr{}, &net.AddrError{Err: "the port is not a number from 0 to 65535", Addr: address}
	}
	ip, err := netip.ParseAddr(hostFor(family, host))
	if err != nil {
		return Addr{}, &net.AddrError{Err: "the host is not an IP address", Addr: address}
	}
	return newAddr(network, netip.AddrPortFrom(ip, uint16(port)))
}

// newAddr returns an address of the network, if the network has such addresses.
func newAddr(network string, ip netip.AddrPort) (Addr, error) {
	family, _, err := familyOf(network)
	if err != nil {
		return Addr{}, err
	}
	if ip.Addr().Is4() != (family == unix.AF_INET) {
		return Addr{}, fmt.Errorf("address %v on %s: %w", ip, network, unix.EAFNOSUPPORT)
	}
	return Addr{network: network, ip: ip}, nil
}

// LookUp is ParseAddr for Listen and Dial. It looks up names of hosts and services. If the address is one of
// IPv6, it turns the network tcp or udp into tcp6 or udp6.
func LookUp(network, address string) (string, Addr, error) {
	family, kind, err := familyOf(network)
	if err != nil {
		return network, Addr{}, err
	}
	if family == unix.AF_UNIX {
		return network, Addr{network: network, path: address}, nil
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return network, Addr{}, err
	}
	transport := "tcp"
	if kind == unix.SOCK_DGRAM {
		transport = "udp"
	}
	port, err := net.DefaultResolver.LookupPort(context.Background(), transport, service)
	if err != nil {
		return network, Addr{}, err
	}
	ip, err := netip.ParseAddr(hostFor(family, host))
	if err != nil {
		ip, err = lookUpHost("ip"+strings.TrimPrefix(network, transport), host)
	}
	if err != nil {
		return network, Addr{}, err
	}
	if network == transport && ip.Is6() {
		network += "6"
	}
	addr, err := newAddr(network, netip.AddrPortFrom(ip, uint16(port)))
	return network, addr, err
}

// lookUpHost returns the first address of a host, one of IPv4 if there is one and the network allows it.
func lookUpHost(version, host string) (netip.Addr, error) {
	all, err := net.DefaultResolver.LookupNetIP(context.Background(), version, host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range all {
		if ip.Unmap().Is4() {
			return ip.Unmap(), nil
		}
	}
	return all[0], nil
}

// hostFor returns the IP address for the host.
func hostFor(family int, host string) string {
	any, loopback := "0.0.0.0", "127.0.0.1"
	if family == unix.AF_INET6 {
		any, loopback = "::", "::1"
	}
	switch host {
	case "":
		return any
	case "localhost":
		return loopback
	}
	return host
}

// sockaddr returns a in the system's form.
func (a Addr) sockaddr() (unix.Sockaddr, error) {
	switch ip := a.ip.Addr(); {
	case ip.Is4():
		return &unix.SockaddrInet4{Port: int(a.ip.Port()), Addr: ip.As4()}, nil
	case ip.Is6():
		zone, err := zoneID(ip.Zone())
		return &unix.SockaddrInet6{Port: int(a.ip.Port()), Addr: ip.As16(), ZoneId: zone}, err
	}
	return &unix.SockaddrUnix{Name: a.path}, nil
}

// addrOf returns the Addr for an address of the system. Zones become numbers.
func addrOf(network string, sa unix.Sockaddr) Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return Addr{network: network, ip: netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))}
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(fmt.Sprint(sa.ZoneId))
		}
		return Addr{network: network, ip: netip.AddrPortFrom(ip, uint16(sa.Port))}
	case *unix.SockaddrUnix:
		if sa.Name != "" && sa.Name != "@" { // reported for a socket without a name
			return Addr{network: network, path: sa.Name}
		}
	}
	return Addr{}
}

// zoneID returns the number of a zone, which must be given as a number.
func zoneID(zone string) (id uint32, err error) {
	if zone == "" {
		return 0, nil
	}
	if _, err := fmt.Sscanf(zone, "%d", &id); err != nil {
		return 0, fmt.Errorf("zone %q: %w", zone, unix.EINVAL)
	}
	return id, nil
}
