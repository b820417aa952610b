package model

import "lockstep/internal/kernel/f64"

// The area under the ROC curve is computed from histograms of the scores, one of the yes and one of the no, so that it
// is a function of sums. The bins divide the log-odds from -16 to 16 evenly, the ends being open; scores in one bin
// count as equal.
const (
	aucBins  = 512
	aucRange = 16
)

// curves is the number of curves: one, or with more than two classes one for each against the rest.
func (m *meter) curves() int {
	if m.classes > 2 {
		return m.classes
	}
	return 1
}

// addScores counts each score in its bin: for each curve the bins of the no, then those of the yes.
func (m *meter) addScores(y []float32, u *lossUnit, b Batch, s []float64) {
	w := max(m.classes, 1)
	for r := range len(y) / w {
		if u.skip[r*w/u.width] {
			continue
		}
		actual := m.actual(u, b, r)
		for k := range m.curves() {
			c, row := k, y[r*w:(r+1)*w]
			if m.curves() == 1 {
				c = 1
			}
			at := 2*k*aucBins + bin(m.logOdds(row, c, u.kind))
			if actual == c {
				at += aucBins
			}
			s[at]++
		}
	}
}

// logOdds is the score of class c against the others.
func (m *meter) logOdds(row []float32, c int, loss string) float64 {
	switch {
	case m.classes == 0 && (m.logits || loss == "hinge"):
		return float64(row[0])
	case m.classes == 0:
		return odds(float64(row[0]))
	case !m.logits || loss != "cross_entropy":
		return odds(float64(row[c]))
	}
	largest := -1
	for i, v := range row {
		if i != c && (largest < 0 || v > row[largest]) {
			largest = i
		}
	}
	rest := 0.0 // of exp(v - largest), over the others
	for i, v := range row {
		if i != c {
			rest += f64.Exp(float64(v) - float64(row[largest]))
		}
	}
	return float64(row[c]) - float64(row[largest]) - f64.Log(rest)
}

func odds(p float64) float64 { return f64.Log(p) - f64.Log(1-p) }

func bin(odds float64) int {
	const width = 2.0 * aucRange / aucBins
	if odds != odds {
		return 0
	}
	return int(min(max((odds+aucRange)/width, 0), aucBins-1))
}

// area is the probability that a yes scores higher than a no, equal scores counting half; the mean over the curves.
func (m *meter) area(s []float64) float64 {
	sum := 0.0
	for k := range m.curves() {
		no, yes := s[2*k*aucBins:(2*k+1)*aucBins], s[(2*k+1)*aucBins:(2*k+2)*aucBins]
		below, wins, total := 0.0, 0.0, 0.0
		for i, n := range no {
			wins += float64(yes[i] * (below + n/2))
			below += n
			total += yes[i]
		}
		sum += ratio(wins, float64(below*total))
	}
	return sum / float64(m.curves())
}
