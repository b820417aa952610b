package kernel

import (
	"math"

	"lockstep/internal/rng"
)

// special are the numbers at which functions change their ways.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, 2, math.MaxFloat32, -math.MaxFloat32,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126, float32(math.Inf(1)), float32(math.Inf(-1)),
	float32(math.NaN()), 88.72, -103.9, 1e-8, -1e-8, 30, -30, 100, -100, 0x1p23, 3.9, 0.55, 0.85}

// fill puts mixed numbers into x, some of them special if wild is set.
func fill(x []float32, seed uint64, wild bool) {
	s := rng.New(seed, rng.Weights, 0, 0, 0)
	for i := range x {
		switch {
		case wild && s.IntN(6) == 0:
			x[i] = special[s.IntN(len(special))]
		default:
			x[i] = (s.Float32() - 0.5) * float32(math.Ldexp(1, s.IntN(9)-4))
		}
	}
}

// vectorCase is a kernel on slices whose lengths follow from n and rows.
type vectorCase struct {
	name string
	size func(rows, n int) []int
	run  func(rows, n int, s [][]float32)
}

// lengths returns a size function for slices of n elements.
func lengths(count int) func(rows, n int) []int {
	return func(_, n int) []int {
		l := make([]int, count)
		for i := range l {
			l[i] = n
		}
		return l
	}
}

// matrices returns a size function for slices of rows*n and then of n elements.
func matrices(count, vectors int) func(rows, n int) []int {
	return func(rows, n int) []int {
		var l []int
		for range count {
			l = append(l, rows*n)
		}
		for range vectors {
			l = append(l, n)
		}
		return l
	}
}

// of2 and of3 adapt kernels on two and three vectors.
func of2(f func(dst, x []float32)) func(int, int, [][]float32) {
	return func(_, _ int, s [][]float32) { f(s[0], s[1]) }
}

func of3(f func(dst, x, y []float32)) func(int, int, [][]float32) {
	return func(_, _ int, s [][]float32) { f(s[0], s[1], s[2]) }
}

func activationCases() (cases []vectorCase) {
	for _, f := range []struct {
		name string
		run  func(dst, x []float32)
	}{{"Exp", Exp}, {"Expm1", Expm1}, {"Log", Log}, {"Log1p", Log1p},
		{"Tanh", Tanh}, {"Sigmoid", Sigmoid}, {"Softplus", Softplus}, {"Erf", Erf}, {"Relu", Relu}, {"Gelu", Gelu},
		{"GeluTanh", GeluTanh}, {"Silu", Silu}, {"Sqrt", Sqrt}} {
		cases = append(cases, vectorCase{f.name, lengths(2), of2(f.run)},
			vectorCase{f.name + "InPlace", lengths(1), func(_, _ int, s [][]float32) { f.run(s[0], s[0]) }})
	}
	for _, f := range []struct {
		name string
		run  func(dst, dy, x []float32)
	}{{"ReluGrad", ReluGrad}, {"GeluGrad", GeluGrad},
		{"GeluTanhGrad", GeluTanhGrad}, {"SiluGrad", SiluGrad}, {"SigmoidGrad", SigmoidGrad}, {"TanhGrad", TanhGrad},
		{"SoftplusGrad", SoftplusGrad}} {
		cases = append(cases, vectorCase{f.name, lengths(3), of3(f.run)},
			vectorCase{f.name + "InPlace", lengths(2), func(_, _ int, s [][]float32) { f.run(s[0], s[0], s[1]) }})
	}
	return append(cases, []vectorCase{
		{"LeakyRelu", lengths(2), func(_, _ int, s [][]float32) { LeakyRelu(s[0], s[1], 0.3) }},
		{"LeakyReluGrad", lengths(3), func(_, _ int, s [][]float32) { LeakyReluGrad(s[0], s[1], s[2], 0.3) }},
		{"Elu", lengths(2), func(_, _ int, s [][]float32) { Elu(s[0], s[1], 1.5) }},
		{"EluGrad", lengths(3), func(_, _ int, s [][]float32) { EluGrad(s[0], s[1], s[2], 1.5) }},
	}...)
}

func linearCases() []vectorCase {
	return []vectorCase{
		{"Axpy", lengths(2), func(_, _ int, s [][]float32) { Axpy(s[0], 1.1, s[1]) }},
		{"Scale", lengths(2), func(_, _ int, s [][]float32) { Scale(s[0], 1.1, s[1]) }},
		{"Add", lengths(3), of3(Add)}, {"Sub", lengths(3), of3(Sub)}, {"Mul", lengths(3), of3(Mul)},
		{"MulAdd", lengths(3), of3(MulAdd)},
		{"AddBias", matrices(1, 1), of2(AddBias)}, {"AddBiasRelu", matrices(1, 1), of2(AddBiasRelu)},
		{"Normalize", matrices(2, 3), func(_, _ int, s [][]float32) { Normalize(s[0], s[1], s[2], s[3], s[4]) }},
		{"NormalizeGrad", matrices(3, 4), func(_, _ int, s [][]float32) {
			NormalizeGrad(s[0], s[1], s[2], s[3], s[4], s[5], s[6])
		}},
	}
}

func softmaxCases() []vectorCase {
	return []vectorCase{
		{"Softmax", matrices(2, 0), func(_, n int, s [][]float32) { Softmax(s[0], s[1], n) }},
		{"SoftmaxInPlace", matrices(1, 0), func(_, n int, s [][]float32) { Softmax(s[0], s[0], n) }},
		{"LogSoftmax", matrices(2, 0), func(_, n int, s [][]float32) { LogSoftmax(s[0], s[1], n) }},
		{"LogSoftmaxInPlace", matrices(1, 0), func(_, n int, s [][]float32) { LogSoftmax(s[0], s[0], n) }},
		{"SoftmaxGrad", matrices(3, 0), func(_, n int, s [][]float32) { SoftmaxGrad(s[0], s[1], s[2], n) }},
		{"LogSoftmaxGrad", matrices(3, 0), func(_, n int, s [][]float32) { LogSoftmaxGrad(s[0], s[1], s[2], n) }},
	}
}

func optimizerVectors() (cases []vectorCase) {
	for _, c := range optimizerCases() {
		cases = append(cases, vectorCase{c.name, lengths(5), func(rows, _ int, s [][]float32) { c.step(s, rows+1) }})
	}
	return cases
}

// vectorGroups are all the kernels on slices of float32.
var vectorGroups = []struct {
	name  string
	cases []vectorCase
}{{"activations", activationCases()}, {"linear", linearCases()}, {"softmax", softmaxCases()},
	{"optimizers", optimizerVectors()}, {"reductions", reductionCases()}}

// one stores a number among the results of a case.
func one(dst []float32, v float64) {
	if len(dst) > 1 {
		dst[0], dst[1] = float32(v), float32(v-float64(float32(v)))
	}
}

func reductionCases() []vectorCase {
	wide := func(x []float32) []float64 {
		w := make([]float64, len(x))
		for i, v := range x {
			w[i] = float64(v)
		}
		return w
	}
	sums := func(f func(dst []float64, s [][]float32)) func(int, int, [][]float32) {
		return func(_, _ int, s [][]float32) {
			d := wide(s[len(s)-1])
			f(d, s)
			for i, v := range d {
				s[len(s)-1][i] = float32(v)
			}
		}
	}
	return []vectorCase{
		{"Dot", lengths(3), func(_, _ int, s [][]float32) { one(s[0], float64(Dot(s[1], s[2]))) }},
		{"Sum", lengths(2), func(_, _ int, s [][]float32) { one(s[0], Sum(s[1])) }},
		{"SumSquares", lengths(2), func(_, _ int, s [][]float32) { one(s[0], SumSquares(s[1])) }},
		{"MaxAbs", lengths(2), func(_, _ int, s [][]float32) { one(s[0], float64(MaxAbs(s[1]))) }},
		{"SumRows", matrices(1, 1), func(_, _ int, s [][]float32) { SumRows(s[1], s[0], false) }},
		{"SumRowsAccumulate", matrices(1, 1), func(_, _ int, s [][]float32) { SumRows(s[1], s[0], true) }},
		{"ColumnSums", matrices(1, 1), sums(func(d []float64, s [][]float32) { ColumnSums(d, s[0]) })},
		{"ColumnDots", matrices(2, 1), sums(func(d []float64, s [][]float32) { ColumnDots(d, s[0], s[1]) })},
		{"ColumnSquares", matrices(1, 2), sums(func(d []float64, s [][]float32) { ColumnSquares(d, s[0], wide(s[1])) })},
		{"LayerNorm", func(rows, n int) []int { return []int{rows * n, rows * n, rows, rows, n, n} },
			func(_, _ int, s [][]float32) { LayerNorm(s[0], s[2], s[3], s[1], s[4], s[5], 1e-5) }},
		{"LayerNormGrad", func(rows, n int) []int { return []int{rows * n, rows * n, rows * n, rows, rows, n, n, n} },
			func(_, _ int, s [][]float32) { LayerNormGrad(s[0], s[5], s[6], s[1], s[2], s[3], s[4], s[7]) }},
	}
}
