package trainer

import (
	"math"
	"testing"

	lockstepv1 "lockstep/api/lockstep/v1"
)

// TestEveryBitIsInTheDigest flips each bit of a parameter and of each other part of a state.
func TestEveryBitIsInTheDigest(t *testing.T) {
	a := testTask(t, "  training: {epochs: 2, global_batch_size: 8}\n")
	st := a.state
	params, all := a.digestOf(st, false), a.digestOf(st, true)
	flips := func(v *float32) {
		for bit := range 32 {
			old := *v
			*v = math.Float32frombits(math.Float32bits(old) ^ 1<<bit)
			if a.digestOf(st, true) == all {
				t.Fatalf("bit %d does not show", bit)
			}
			*v = old
		}
	}
	for i := range st.params {
		flips(&st.params[i])
	}
	flips(&st.slots[0][3])
	st.scales[0]++
	if a.digestOf(st, true) == all || a.digestOf(st, false) != params {
		t.Error("a scale must show in the whole state, and only there")
	}
	st.scales[0]--
	for name, change := range map[string]func() func(){
		"sums":     func() func() { st.sums[0]++; return func() { st.sums[0]-- } },
		"position": func() func() { st.position += 2; return func() { st.position -= 2 } },
		"best":     func() func() { st.best.bad++; return func() { st.best.bad-- } },
		"order":    func() func() { swap(st.params); return func() { swap(st.params) } },
	} {
		undo := change()
		if a.digestOf(st, true) == all {
			t.Errorf("%s does not show", name)
		}
		undo()
	}
	if a.digestOf(st, true) != all {
		t.Error("the state is not as it was")
	}
}

func swap(v []float32) { v[0], v[8] = v[8], v[0] }

// TestJudge: a majority is right; without one, or between two, nobody is said to be wrong until a dispute is settled.
func TestJudge(t *testing.T) {
	at := &state{position: 41}
	words := func(ds ...digest) []int64 {
		w := make([]int64, 4*len(ds))
		for i, d := range ds {
			d.put(w, i)
		}
		return w
	}
	x, y, z := digest{1}, digest{2}, digest{3, 0, 0, 1}
	for _, c := range []struct {
		digests []digest
		wrong   string // "": none can be named; "-": no divergence
	}{
		{[]digest{x, x, x}, "-"}, {[]digest{x, y, x}, "b"}, {[]digest{y, x, x}, "a"}, {[]digest{x, y}, ""}, {[]digest{x, y, z}, ""},
		{[]digest{x, x, y, y}, ""}, {[]digest{x, x, x, y}, "d"}, {[]digest{z, x, x, x, y}, "ae"},
	} {
		s := &session{}
		for i := range c.digests {
			s.members = append(s.members, &lockstepv1.Member{Worker: string(rune('a' + i))})
		}
		got := "-"
		if err := s.judge(at, false, c.digests[0], words(c.digests...)); err != nil {
			found := err.(*divergence).found
			got = ""
			for _, w := range found.Wrong {
				got += w
			}
			if len(found.Claims) != len(c.digests) || found.Position != 41 {
				t.Errorf("%v: found %v", c.digests, found)
			}
		}
		if got != c.wrong {
			t.Errorf("%v: wrong are %q, want %q", c.digests, got, c.wrong)
		}
	}
	s := &session{members: []*lockstepv1.Member{{Worker: "a"}, {Worker: "b"}}, dispute: &lockstepv1.Divergence{Position: 41, Claims: []*lockstepv1.Claim{
		{Worker: "a", Digest: x.bytes()}, {Worker: "b", Digest: y.bytes()}, {Worker: "gone", Digest: y.bytes()}}}}
	err := s.judge(at, false, x, words(x, x))
	if d, ok := err.(*divergence); !ok || len(d.found.Wrong) != 1 || d.found.Wrong[0] != "b" {
		t.Errorf("settled as %v", err)
	}
	if err := s.judge(at, true, x, words(x, x)); err != nil {
		t.Errorf("another comparison at the same place: %v", err)
	}
}

func BenchmarkDigest(b *testing.B) {
	v := make([]float32, 1<<20)
	b.SetBytes(4 << 20)
	b.ReportAllocs()
	for b.Loop() {
		var d digest
		d.floats(v)
	}
}
