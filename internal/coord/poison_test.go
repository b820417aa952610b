package coord

import (
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestBlame: three losses at one micro-batch condemn it, or two machines that tell of it; losses at other places do not
// add up.
func TestBlame(t *testing.T) {
	type at struct {
		step    uint64
		micro   uint32
		address string
		told    bool
	}
	for name, c := range map[string]struct {
		at   []at
		want bool // of the last one; none before it may condemn
	}{
		"one":                        {[]at{{5, 1, "a", true}}, false},
		"two machines":               {[]at{{5, 1, "a", true}, {5, 1, "b", true}}, true},
		"two machines, one is gone":  {[]at{{5, 1, "a", true}, {5, 1, "b", false}}, false},
		"two machines, both gone":    {[]at{{5, 1, "a", false}, {5, 1, "b", false}}, false},
		"three machines, all gone":   {[]at{{5, 1, "a", false}, {5, 1, "b", false}, {5, 1, "c", false}}, true},
		"one machine twice":          {[]at{{5, 1, "a", true}, {5, 1, "a", true}}, false},
		"one machine thrice":         {[]at{{5, 1, "a", true}, {5, 1, "a", true}, {5, 1, "a", true}}, true},
		"another step":               {[]at{{5, 1, "a", true}, {6, 1, "b", true}}, false},
		"another micro-batch":        {[]at{{5, 1, "a", true}, {5, 2, "b", true}, {5, 1, "c", true}}, false},
		"another micro-batch by one": {[]at{{5, 1, "a", false}, {5, 1, "b", false}, {5, 2, "c", false}, {5, 1, "d", false}}, false},
	} {
		p := newPoison()
		for i, x := range c.at {
			why := p.add("j", &lockstepv1.Attempt{Step: x.step, Micro: x.micro, Records: "r"}, x.address, x.told)
			if want := c.want && i == len(c.at)-1; (why != "") != want {
				t.Errorf("%s, after %d: %q", name, i+1, why)
			}
		}
	}
}
