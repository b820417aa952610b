package examples_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

var write = flag.Bool("write", false, "write data/two-three-one.csv anew")

// twoThreeOne is the data of two-three-one.yaml: 100 points of the square from (-1, -1) to (1, 1), four decimals each, and
// the larger of their coordinates.
func twoThreeOne() []byte {
	r := rand.New(rand.NewPCG(2, 31))
	var b bytes.Buffer
	b.WriteString("x1,x2,y\n")
	for range 100 {
		x1, x2 := r.IntN(20001)-10000, r.IntN(20001)-10000
		fmt.Fprintf(&b, "%g,%g,%g\n", float64(x1)/1e4, float64(x2)/1e4, math.Max(float64(x1), float64(x2))/1e4)
	}
	return b.Bytes()
}

func TestTwoThreeOneData(t *testing.T) {
	const file = "data/two-three-one.csv"
	if *write {
		if err := os.WriteFile(file, twoThreeOne(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, twoThreeOne()) {
		t.Errorf("%s is not what it is said to be: go test ./examples -run TwoThreeOne -write", file)
	}
}
