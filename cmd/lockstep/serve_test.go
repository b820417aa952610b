package main

import (
	"io"
	"strings"
	"testing"

	"lockstep/internal/serve"
)

// TestServeIsNotOpenByChance: beyond this machine a model is served encrypted and to who is known, or by a flag that says so.
func TestServeIsNotOpenByChance(t *testing.T) {
	cert, tokens := serve.DoorFiles{Cert: "c", Key: "k"}, serve.DoorFiles{Tokens: "t"}
	both := serve.DoorFiles{Cert: "c", Key: "k", ClientCA: "a"}
	for _, c := range []struct {
		listen   string
		files    serve.DoorFiles
		insecure bool
		lacks    []string
	}{
		{"127.0.0.1:0", serve.DoorFiles{}, false, nil},
		{"localhost:8000", serve.DoorFiles{}, false, nil},
		{"[::1]:8000", serve.DoorFiles{}, false, nil},
		{":8000", serve.DoorFiles{}, false, []string{"--serve-tls-cert", "--client-tokens", "--insecure"}},
		{"0.0.0.0:8000", cert, false, []string{"--client-tokens"}},
		{"192.0.2.1:8000", tokens, false, []string{"--serve-tls-cert"}},
		{"[::]:8000", both, false, nil},
		{"0.0.0.0:8000", serve.DoorFiles{}, true, nil},
	} {
		_, err := listenAddress(newApp(nil, io.Discard, io.Discard).serveCommand(), c.listen, &c.files, c.insecure)
		if (err == nil) != (c.lacks == nil) {
			t.Errorf("%s: %v", c.listen, err)
		}
		for _, flag := range c.lacks {
			if err != nil && !strings.Contains(err.Error(), flag) {
				t.Errorf("%s: %v does not name %s", c.listen, err, flag)
			}
		}
	}
}
