package access

import (
	"testing"

	"google.golang.org/grpc/metadata"

	"lockstep/internal/certs"
)

// TestCaller: a coordinator is believed when it says whose call it passes on, and nobody else.
func TestCaller(t *testing.T) {
	w := certs.Identity{Role: certs.Worker, Name: "w"}
	for _, c := range []struct {
		shown  certs.Identity
		passed []string
		want   certs.Identity
	}{
		{w, nil, w},
		{w, []string{"worker/x"}, w},
		{certs.Identity{Role: certs.Admin, Name: "a"}, []string{"worker/x"}, certs.Identity{Role: certs.Admin, Name: "a"}},
		{certs.Identity{Role: certs.Coordinator, Name: "c"}, []string{"worker/w"}, w},
		{certs.Identity{Role: certs.Coordinator, Name: "c"}, []string{"nonsense"}, certs.Identity{Role: certs.Coordinator, Name: "c"}},
		{certs.Identity{Role: certs.Coordinator, Name: "c"}, nil, certs.Identity{Role: certs.Coordinator, Name: "c"}},
	} {
		in := metadata.NewIncomingContext(t.Context(), metadata.MD{passedKey: c.passed})
		got, ok := Caller(withCaller(in, c.shown))
		if !ok || got != c.want {
			t.Errorf("%s with %q is %s, want %s", c.shown, c.passed, got, c.want)
		}
		out, _ := metadata.FromOutgoingContext(PassOn(withCaller(in, c.shown)))
		if sent := out.Get(passedKey); len(sent) != 1 || sent[0] != c.want.String() {
			t.Errorf("%s passes on %q", c.shown, sent)
		}
	}
	if _, ok := Caller(t.Context()); ok {
		t.Error("nobody is somebody")
	}
}
