package flagenv

import "testing"

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1000": 1000, "512MiB": 512 << 20, "2 GiB": 2 << 30, "1.5GB": 1.5e9, "64KiB": 64 << 10, "7B": 7} {
		var s Size
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q is %d, %v, want %d", text, s, err, want)
		}
		var again Size
		if err := again.Set(s.String()); err != nil || again != s {
			t.Errorf("%q is written %q", text, s.String())
		}
	}
	for _, text := range []string{"", "x", "-1GiB", "NaN", "1e300GiB", "GiB"} {
		if err := new(Size).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
