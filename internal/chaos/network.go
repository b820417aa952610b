package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Network is hosts on this machine, with addresses of their own, that can be cut off: network namespaces around a bridge,
// which is in one, too, so that this machine's firewall does not see what passes. It needs Linux, iproute2 and the right to use
// them.
type Network struct {
	name  string
	block string // 10.a.b
	hosts int
}

// Host is one of them.
type Host struct {
	Address string
	name    string // of its namespace, and of the end of its cable at the bridge
	network string // the namespace of that
}

// NewNetwork makes a network without hosts. Its name follows from this process, so that two do not meet.
func NewNetwork() (*Network, error) {
	id := os.Getpid() % 50000
	n := &Network{name: fmt.Sprintf("lsk%x", id), block: fmt.Sprintf("10.%d.%d", 40+id/250, 1+id%250)}
	err := all(
		"netns add "+n.name,
		"-n "+n.name+" link add bridge type bridge",
		"-n "+n.name+" link set bridge up",
		"link add "+n.name+" type veth peer name uplink netns "+n.name,
		"-n "+n.name+" link set dev uplink master bridge up",
		"addr add "+n.block+".1/24 dev "+n.name,
		"link set "+n.name+" up",
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make network: %w", err), n.Close())
	}
	return n, nil
}

// AddHost makes a host.
func (n *Network) AddHost() (Host, error) {
	n.hosts++
	h := Host{Address: fmt.Sprintf("%s.%d", n.block, n.hosts+1), name: fmt.Sprintf("%s-%d", n.name, n.hosts), network: n.name}
	err := all(
		"netns add "+h.name,
		"-n "+n.name+" link add "+h.name+" type veth peer name eth0 netns "+h.name,
		"-n "+n.name+" link set "+h.name+" master bridge up",
		"-n "+h.name+" addr add "+h.Address+"/24 dev eth0",
		"-n "+h.name+" link set eth0 up",
		"-n "+h.name+" link set lo up",
	)
	if err != nil {
		return Host{}, fmt.Errorf("make host: %w", err)
	}
	return h, nil
}

// Command is a command line that runs another one on the host.
func (h Host) Command(line ...string) []string {
	return append([]string{"ip", "netns", "exec", h.name}, line...)
}

// Cut pulls the host's cable.
func (h Host) Cut() error { return all("-n " + h.network + " link set " + h.name + " down") }

// Heal puts it back.
func (h Host) Heal() error { return all("-n " + h.network + " link set " + h.name + " up") }

// Close removes the network. What runs on its hosts must have ended.
func (n *Network) Close() error {
	errs := []error{all("link del " + n.name)} // at once, where its namespace would take it along some time later
	for i := range n.hosts {
		errs = append(errs, all(fmt.Sprintf("netns del %s-%d", n.name, i+1)))
	}
	return errors.Join(append(errs, all("netns del "+n.name))...)
}

// all runs commands of ip up to the first that fails.
func all(commands ...string) error {
	for _, c := range commands {
		if out, err := exec.Command("ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", c, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
