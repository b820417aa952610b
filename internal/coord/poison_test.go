package coord

import (
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestBlame: two machines that failed on the same micro-batch condemn it, or one that did three times; losses at other
// places do not add up.
func TestBlame(t *testing.T) {
	type at struct {
		step    uint64
		micro   uint32
		address string
	}
	for name, c := range map[string]struct {
		at   []at
		want bool // of the last one; none before it may condemn
	}{
		"one":                 {[]at{{5, 1, "a"}}, false},
		"two machines":        {[]at{{5, 1, "a"}, {5, 1, "b"}}, true},
		"one machine twice":   {[]at{{5, 1, "a"}, {5, 1, "a"}}, false},
		"one machine thrice":  {[]at{{5, 1, "a"}, {5, 1, "a"}, {5, 1, "a"}}, true},
		"another step":        {[]at{{5, 1, "a"}, {6, 1, "b"}}, false},
		"another micro-batch": {[]at{{5, 1, "a"}, {5, 2, "b"}, {5, 1, "c"}}, false},
	} {
		p := newPoison()
		for i, x := range c.at {
			why := p.add("j", &lockstepv1.Attempt{Step: x.step, Micro: x.micro, Records: "r"}, x.address)
			if want := c.want && i == len(c.at)-1; (why != "") != want {
				t.Errorf("%s, after %d: %q", name, i+1, why)
			}
		}
	}
}
