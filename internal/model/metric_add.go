package model

// add adds the batch's part to stats, after the loss has run on the outputs y.
func (m *meter) add(y []float32, u *lossUnit, b Batch, stats []float64) {
	s := stats[m.at : m.at+m.n]
	switch m.kind {
	case "mae", "rmse", "r2":
		m.addNumbers(y, u, s)
	case "perplexity":
		addSurprise(u, b, s, len(y)/u.width)
	case "auc":
		m.addScores(y, u, b, s)
	case "top_k_accuracy":
		m.addRanks(y, u, b, s)
	default:
		m.addDecisions(y, u, b, s)
	}
}

// addNumbers sums the errors of single elements: [error, count], or for r2 [squared error, t, t^2, count].
func (m *meter) addNumbers(y []float32, u *lossUnit, s []float64) {
	for p := range len(y) / u.width {
		if u.skip[p] {
			continue
		}
		t := u.y[p*u.width : (p+1)*u.width]
		for i, v := range y[p*u.width : (p+1)*u.width] {
			e, w := float64(v)-float64(t[i]), float64(t[i])
			switch m.kind {
			case "mae":
				s[0] += max(e, -e)
			case "r2":
				s[0] += float64(e * e)
				s[1] += w
				s[2] += float64(w * w)
			default:
				s[0] += float64(e * e)
			}
			s[len(s)-1]++
		}
	}
}

// addSurprise sums -log p of the target, unsmoothed; the loss left the logarithms in u.each.
func addSurprise(u *lossUnit, b Batch, s []float64, places int) {
	for p := range places {
		switch row := u.each[p*u.width : (p+1)*u.width]; {
		case u.skip[p]:
		case u.target == asIndex && len(b.Shares) > 0:
			share := float64(b.Shares[p])
			s[0] -= float64(share*float64(row[b.Labels[p]])) + float64((1-share)*float64(row[b.Others[p]]))
		case u.target == asIndex:
			s[0] -= float64(row[b.Labels[p]])
		default:
			s[0] -= dot(u.y[p*u.width:(p+1)*u.width], row)
		}
	}
}

// addRanks counts [places whose class is among the k largest outputs, places]; of equal outputs the first is larger.
func (m *meter) addRanks(y []float32, u *lossUnit, b Batch, s []float64) {
	for r := range len(y) / m.classes {
		if u.skip[r*m.classes/u.width] {
			continue
		}
		row := y[r*m.classes : (r+1)*m.classes]
		actual := m.actual(u, b, r)
		rank := 0
		for i, v := range row {
			if v > row[actual] || v == row[actual] && i < actual {
				rank++
			}
		}
		if rank < m.k {
			s[0]++
		}
		s[1]++
	}
}

// addDecisions counts right and wrong decisions.
func (m *meter) addDecisions(y []float32, u *lossUnit, b Batch, s []float64) {
	w := max(m.classes, 1)
	for r := range len(y) / w {
		if u.skip[r*w/u.width] {
			continue
		}
		predicted, actual := 0, m.actual(u, b, r)
		if m.classes > 0 {
			predicted = argmax(y[r*w : (r+1)*w])
		} else if y[r] > m.limit {
			predicted = 1
		}
		switch m.kind {
		case "accuracy":
			if predicted == actual {
				s[0]++
			}
			s[1]++
		case "confusion_matrix":
			s[actual*max(m.classes, 2)+predicted]++
		default:
			if predicted == actual {
				s[actual*perClass]++
			}
			s[predicted*perClass+1]++
			s[actual*perClass+2]++
		}
	}
}

// actual is the true class of row r: element-wise 1 for a target that means yes.
func (m *meter) actual(u *lossUnit, b Batch, r int) int {
	switch {
	case m.classes > 0 && u.labels:
		return int(b.Labels[r])
	case m.classes > 0:
		return argmax(u.y[r*m.classes : (r+1)*m.classes])
	case u.kind == "hinge" && u.y[r] > 0, u.kind != "hinge" && u.y[r] > 0.5:
		return 1
	}
	return 0
}

// argmax is the index of the first largest value.
func argmax(v []float32) int {
	at := 0
	for i, x := range v {
		if x > v[at] {
			at = i
		}
	}
	return at
}
