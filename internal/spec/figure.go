package spec

import (
	"slices"
	"strings"
)

var (
	classMetrics  = []string{"accuracy", "top_k_accuracy", "precision", "recall", "f1", "auc", "confusion_matrix"}
	numberMetrics = []string{"mae", "rmse", "r2"}
)

// fitting lists the metrics that suit the loss and the target.
func (t *TrainJob) fitting() []string {
	switch t.Loss.Type {
	case "cross_entropy":
		return append(slices.Clone(classMetrics), "perplexity")
	case "binary_cross_entropy", "kl_divergence":
		return slices.Concat(classMetrics, numberMetrics)
	case "hinge":
		return classMetrics
	}
	if t.Dataset.classes() {
		return slices.Concat(numberMetrics, classMetrics)
	}
	return numberMetrics
}

// classes reports whether targets are, or may be, classes.
func (s *Dataset) classes() bool {
	if s.Target != nil {
		return s.Target.Type == "category"
	}
	return s.Train.Labels != "" || s.Format == "image_folder"
}

// hasThreshold reports whether a metric of this type decides by a threshold, with a binary loss.
func hasThreshold(metric string) bool {
	return slices.Contains([]string{"accuracy", "precision", "recall", "f1", "confusion_matrix"}, metric)
}

// HigherIsBetter reports whether a larger value of a monitored figure, val_accuracy or val_loss say, is the better one.
func HigherIsBetter(figure string) bool {
	_, name, _ := strings.Cut(figure, "_")
	return name == "r2" || name != "confusion_matrix" && slices.Contains(classMetrics, name)
}

func direction(figure string) string {
	if HigherIsBetter(figure) {
		return "max"
	}
	return "min"
}

// Monitors lists the figures that early stopping, the best checkpoint and a plateau schedule may go by: train_loss, and
// where there is validation val_loss and every metric that is one number.
func (t *TrainJob) Monitors() []string {
	names := []string{"train_loss"}
	if t.validates() {
		names = append(names, "val_loss")
		for _, m := range t.Metrics {
			if m.Type != "confusion_matrix" {
				names = append(names, "val_"+m.Type)
			}
		}
	}
	return names
}

// Monitor is the figure by which one state is better than another: the one that is asked for, or else the validation
// loss, or the training loss where nothing is validated.
func (t *TrainJob) Monitor() string {
	switch {
	case t.Checkpoint.Monitor != "":
		return t.Checkpoint.Monitor
	case t.EarlyStopping != nil:
		return t.EarlyStopping.Monitor
	case t.validates():
		return "val_loss"
	}
	return "train_loss"
}

// validates reports whether there are validation records and times to use them.
func (t *TrainJob) validates() bool {
	records := t.Dataset.Val != nil || t.Dataset.Split != nil && t.Dataset.Split.Val > 0
	return records && t.Training.EvalEvery != Interval{}
}

// needsBest reports whether the result is the best state instead of the last one.
func (t *TrainJob) needsBest() bool {
	return t.Export.Which == "best" || t.EarlyStopping != nil && t.EarlyStopping.RestoreBestWeights
}
