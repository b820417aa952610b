package kernel

import (
	"math"
	"testing"
)

// optimizerCase is one optimizer: step t on slices w, g and three of state, and the same for one element in float64.
type optimizerCase struct {
	name  string
	step  func(s [][]float32, t int)
	exact func(w, g float64, s []float64, t int) float64
}

const (
	testRate, testDecay = 0.01, 0.1
	testEpsilon         = 1e-4
)

func optimizerCases() []optimizerCase {
	cases := []optimizerCase{{"Adagrad", func(s [][]float32, _ int) {
		StepAdagrad(s[0], s[2], s[1], &Adagrad{testRate, testEpsilon, testDecay})
	}, func(w, g float64, s []float64, _ int) float64 {
		g += testDecay * w
		s[0] += g * g
		return w - testRate*g/(math.Sqrt(s[0])+testEpsilon)
	}}}
	for _, momentum := range []float64{0, 0.9} {
		for _, flag := range []bool{false, true} {
			if momentum != 0 || !flag {
				cases = append(cases, sgdCase(momentum, flag))
			}
			cases = append(cases, rmspropCase(momentum, flag))
		}
	}
	for _, decoupled := range []bool{false, true} {
		cases = append(cases, adamCase(decoupled, false), adamCase(decoupled, true))
	}
	return cases
}

func sgdCase(momentum float64, nesterov bool) optimizerCase {
	h := &SGD{testRate, momentum, nesterov, testDecay}
	return optimizerCase{"SGD", func(s [][]float32, _ int) { StepSGD(s[0], s[2], s[1], h) },
		func(w, g float64, s []float64, _ int) float64 {
			g += testDecay * w
			s[0] = momentum*s[0] + g
			switch {
			case momentum == 0:
				s[0] = 0
				return w - testRate*g
			case nesterov:
				return w - testRate*(g+momentum*s[0])
			}
			return w - testRate*s[0]
		}}
}

func rmspropCase(momentum float64, centered bool) optimizerCase {
	const rho = 0.9
	h := &RMSProp{testRate, rho, testEpsilon, momentum, centered, testDecay}
	return optimizerCase{"RMSProp", func(s [][]float32, _ int) { StepRMSProp(s[0], s[2], s[3], s[4], s[1], h) },
		func(w, g float64, s []float64, _ int) float64 {
			g += testDecay * w
			s[0] = rho*s[0] + (1-rho)*g*g
			v := s[0]
			if centered {
				s[1] = rho*s[1] + (1-rho)*g
				v -= s[1] * s[1]
			}
			d := g / (math.Sqrt(v) + testEpsilon)
			if momentum != 0 {
				s[2] = momentum*s[2] + d
				d = s[2]
			}
			return w - testRate*d
		}}
}

func adamCase(decoupled, amsgrad bool) optimizerCase {
	const b1, b2 = 0.9, 0.999
	h := &Adam{testRate, b1, b2, testEpsilon, testDecay, decoupled}
	return optimizerCase{"Adam", func(s [][]float32, t int) {
		if amsgrad {
			StepAdam(s[0], s[2], s[3], s[4], s[1], h, t)
		} else {
			StepAdam(s[0], s[2], s[3], nil, s[1], h, t)
		}
	}, func(w, g float64, s []float64, t int) float64 {
		if decoupled {
			w -= testRate * testDecay * w
		} else {
			g += testDecay * w
		}
		s[0] = b1*s[0] + (1-b1)*g
		s[1] = b2*s[1] + (1-b2)*g*g
		v := s[1]
		if amsgrad {
			s[2] = max(s[2], v)
			v = s[2]
		}
		return w - testRate*(s[0]/(1-math.Pow(b1, float64(t))))/(math.Sqrt(v/(1-math.Pow(b2, float64(t))))+testEpsilon)
	}}
}

func TestOptimizers(t *testing.T) {
	const n = 21
	for _, c := range optimizerCases() {
		s := make([][]float32, 5)
		for i := range s {
			s[i] = make([]float32, n)
		}
		copy(s[0], random(n, 1))
		w, state := make([]float64, n), make([][3]float64, n)
		for i, v := range s[0] {
			w[i] = float64(v)
		}
		for step := 1; step <= 5; step++ {
			copy(s[1], random(n, uint64(step)+1))
			c.step(s, step)
			for i, g := range s[1] {
				w[i] = c.exact(w[i], float64(g), state[i][:], step)
				near(t, c.name+" w", s[0][i], w[i], 1e-6, 1e-7)
				for j := range state[i] {
					near(t, c.name+" state", s[2+j][i], state[i][j], 1e-6, 4e-6) // sums of numbers up to 16 cancel
				}
			}
		}
	}
}

// near compares within rtol of want and atol.
func near(t *testing.T, name string, got float32, want, rtol, atol float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= atol+rtol*math.Abs(want)) {
		t.Fatalf("%s = %v, want %v", name, got, want)
	}
}
