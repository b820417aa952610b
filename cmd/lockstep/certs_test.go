package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lockstep/internal/certs"
)

// TestCertsForHosts: each identity has its own hosts, beside those of all.
func TestCertsForHosts(t *testing.T) {
	noEnvironment(t)
	inFolder(t)
	command(t, "certs", "init", "--host", "all.example", "coordinator/a=a.example,192.0.2.1", "worker/w").want(t, 0, nil, nil)
	for name, want := range map[string][]string{"a": {"192.0.2.1", "a.example", "all.example"}, "w": {"all.example", certs.AnyWorker}} {
		text, err := os.ReadFile(filepath.Join("certs", name, certs.CertFile))
		if err != nil {
			t.Fatal(err)
		}
		list, err := certs.ParseCerts(text)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(list[0].DNSNames)
		for _, ip := range list[0].IPAddresses {
			got = append(got, ip.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s is good for %v, want %v", name, got, want)
		}
	}
}
