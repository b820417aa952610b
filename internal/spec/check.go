package spec

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// check notes what the schema cannot see: values that do not go together.
func (d *document) check(j *Job) {
	t := &j.Spec
	d.checkDataset(t)
	d.checkModel(t)
	d.checkMetrics(t)
	d.checkOptimizer(t)
	d.checkTraining(t)
	d.checkMonitors(t)
	if f := t.InitFrom; f != nil && (f.Checkpoint == "") == (f.File == "") {
		d.faultKey("/spec/init_from", `init_from needs either "checkpoint" or "file"`, "write {checkpoint: fashion-mlp@best} or {file: weights.safetensors}")
	}
}

func (d *document) checkDataset(t *TrainJob) {
	s, at := &t.Dataset, "/spec/dataset"
	d.checkSource(s.Source, at+"/source")
	if s.Split != nil {
		if sum := s.Split.Train + s.Split.Val + s.Split.Test; sum > 1+1e-9 || s.Split.Train <= 0 {
			d.faultKey(at+"/split", fmt.Sprintf("the split's fractions add up to %.6g", max(sum, s.Split.Val+s.Split.Test)), "train, val and test together may be at most 1, and train must be left something")
		}
		if s.Val != nil && s.Split.Val > 0 {
			d.faultKey(at+"/split/val", "validation records are given twice: by files and by a split", "leave one of them out")
		}
		if s.Test != nil && s.Split.Test > 0 {
			d.faultKey(at+"/split/test", "test records are given twice: by files and by a split", "leave one of them out")
		}
	}
	d.checkColumns(t)
	for i, p := range s.Preprocessing {
		here := at + "/preprocessing/" + strconv.Itoa(i)
		if len(p.Mean) != len(p.Std) {
			d.faultKey(here, "mean and std must have equally many values", "leave both out to have them fitted on the training split")
		}
		if p.Type == "rescale" && p.Scale == 0 {
			d.faultKey(here+"/scale", `"scale" must not be 0: it would erase the input`, "")
		}
	}
	if t := s.Text; t != nil && t.VocabSize != 0 && t.Tokenizer != "bpe" {
		d.faultKey(at+"/text/vocab_size", `"vocab_size" belongs to the bpe tokenizer`, "the vocabulary of the others follows from the text")
	}
	d.checkAugmentation(t)
}

// checkAugmentation looks for augmentations that do nothing, or that the loss makes nothing of.
func (d *document) checkAugmentation(t *TrainJob) {
	list, at := t.Dataset.Augmentation, "/spec/dataset"
	for i, p := range list {
		if p.Type == "random_flip" && !p.Horizontal && !p.Vertical {
			d.faultKey(at+"/augmentation/"+strconv.Itoa(i), "a random_flip augmentation without a direction does nothing", "write horizontal: true or vertical: true")
		}
		if here := at + "/augmentation/" + strconv.Itoa(i); p.Type == "mixup" {
			switch {
			case i != len(list)-1:
				d.faultKey(here, "mixup mixes what the others made of two records", "write it last")
			case t.Loss.Type == "hinge" || t.Loss.IgnoreIndex != nil:
				d.faultKey(here, "mixup makes parts of two classes the target, which hinge and ignore_index cannot take", "take cross_entropy without ignore_index")
			}
		}
	}
}

var schemes = []string{"file", "http", "https", "s3", "dataset"}

// checkSource checks the scheme of a URL; a bare path has none.
func (d *document) checkSource(source, ptr string) {
	scheme, rest, ok := strings.Cut(source, "://")
	if !ok {
		return
	}
	u, err := url.Parse(source)
	switch {
	case !slices.Contains(schemes, scheme):
		d.faultValue(ptr, fmt.Sprintf("unknown kind of URL %q", scheme+"://"), or(didYouMean(scheme, schemes), "known: a path, file, http, https, s3 or dataset"))
	case err != nil:
		d.faultValue(ptr, fmt.Sprintf("%q is not a URL", source), "")
	case scheme == "file" && (u.Host != "" || u.Path == ""):
		d.faultValue(ptr, "a file URL has an absolute path after file://", fmt.Sprintf("write file:///%s, or a bare path for one relative to this file", rest))
	case scheme == "dataset" && !ValidName(rest):
		d.faultValue(ptr, fmt.Sprintf("%q names no pushed dataset", source), "write dataset://NAME; \"lockstep dataset list\" has the names")
	case scheme != "file" && u.Host == "":
		d.faultValue(ptr, fmt.Sprintf("%q names no host", source), "")
	}
}

// checkColumns checks features and target against each other and against the loss.
func (d *document) checkColumns(t *TrainJob) {
	s, at := &t.Dataset, "/spec/dataset"
	seen := map[string]bool{}
	for i, f := range s.Features {
		here := at + "/features/" + strconv.Itoa(i)
		switch {
		case seen[f.Column]:
			d.faultValue(here+"/column", fmt.Sprintf("column %q is given twice", f.Column), "")
		case s.Target != nil && s.Target.Column == f.Column:
			d.faultValue(here+"/column", fmt.Sprintf("column %q is the target", f.Column), "a model that reads what it is to predict learns nothing")
		case f.Type == "category" && f.Preprocessing != "":
			d.faultKey(here+"/preprocessing", "a category cannot be preprocessed", "it is one-hot encoded")
		case f.Type == "category" && f.Missing != "" && f.Missing != "value":
			d.faultValue(here+"/missing", fmt.Sprintf("a category has no %s", f.Missing), "write missing: value, which makes it a value of its own")
		case f.Type == "number" && f.Encoding != "":
			d.faultKey(here+"/encoding", "a number is not encoded", "write type: category")
		case f.Type == "number" && f.Unknown != "":
			d.faultKey(here+"/unknown", "a number has no unknown values", "write type: category")
		case f.Fill != 0 && (f.Missing != "value" || f.Type != "number"):
			d.faultKey(here+"/fill", `"fill" belongs to a number with missing: value`, "")
		case (f.Encoding == "id") != (s.Features[0].Encoding == "id"):
			d.faultKey(here, "encoding: id is for all features or none", "a model reads ids or numbers")
		}
		seen[f.Column] = true
	}
	classifies := t.Loss.Type == "cross_entropy" || t.Loss.Type == "hinge"
	switch target := s.Target; {
	case target == nil:
		if labelled := s.Train.Labels != "" || s.Format == "npz" || s.Format == "image_folder" || s.Format == "text"; classifies && !labelled {
			missing, where := `"target"`, at
			if s.Format == "idx" || s.Format == "npy" {
				missing, where = `"labels"`, at+"/train"
			}
			d.faultKey(where, fmt.Sprintf("the dataset needs %s for a %s loss", missing, t.Loss.Type), "")
		}
	case s.Train.Images != "" && s.Train.Labels == "":
		d.faultKey(at+"/target", `a target says what the labels are, and the training files have none`, `give train its "labels", or leave the target out: then a record is its own`)
	case target.Type == "number" && t.Loss.Type == "cross_entropy":
		d.faultKey(at+"/target/type", "a cross_entropy loss needs a target that is a category", "write type: category, or take a regression loss such as mse")
	case target.Type == "number" && target.Classes != nil:
		d.faultKey(at+"/target/classes", "a number has no classes", "write type: category")
	}
}

func (d *document) checkMetrics(t *TrainJob) {
	seen := map[string]bool{}
	for i, m := range t.Metrics {
		at := "/spec/metrics/" + strconv.Itoa(i)
		switch allowed := t.fitting(); {
		case seen[m.Type]:
			d.faultKey(at, fmt.Sprintf("metric %q is given twice", m.Type), "")
		case !slices.Contains(allowed, m.Type):
			d.faultKey(at, fmt.Sprintf("metric %q does not fit the loss %s", m.Type, t.Loss.Type), "these do: "+strings.Join(allowed, ", "))
		case m.Threshold != 0 && t.Loss.Type != "binary_cross_entropy":
			d.faultKey(at+"/threshold", "a threshold needs the loss binary_cross_entropy", "other losses decide by the largest output or its sign")
		}
		seen[m.Type] = true
	}
}

func (d *document) checkOptimizer(t *TrainJob) {
	o, s := &t.Optimizer, &t.LRScheduler
	if o.Nesterov && o.Momentum == 0 {
		d.faultKey("/spec/optimizer/nesterov", "nesterov needs a momentum", "write momentum: 0.9")
	}
	at := "/spec/lr_scheduler"
	if s.MinLR >= o.LearningRate {
		d.faultKey(at+"/min_lr", fmt.Sprintf("min_lr %g is not below the learning rate %g", s.MinLR, o.LearningRate), "")
	}
	if s.TotalSteps > 0 && s.WarmupSteps >= s.TotalSteps {
		d.faultKey(at+"/warmup_steps", fmt.Sprintf("the warm-up takes all of the schedule's %d steps", s.TotalSteps), "total_steps includes the warm-up")
	} else if n := t.Training.MaxSteps; n > 0 && s.WarmupSteps >= n {
		d.faultKey(at+"/warmup_steps", fmt.Sprintf("the warm-up takes all of the job's %d steps", n), "")
	}
	for i := 1; i < len(s.Milestones); i++ {
		if s.Milestones[i] <= s.Milestones[i-1] {
			d.faultKey(at+"/milestones/"+strconv.Itoa(i), fmt.Sprintf("milestone %d does not come after %d", s.Milestones[i], s.Milestones[i-1]), "milestones are step numbers, rising")
		}
	}
}

func (d *document) checkTraining(t *TrainJob) {
	n, w, at := &t.Training, &t.Parallelism.Workers, "/spec/training"
	if n.Epochs > 0 && n.MaxSteps > 0 {
		d.faultKey(at+"/max_steps", "both epochs and max_steps are given", "leave one of them out")
	}
	if n.MicroBatches > n.GlobalBatchSize {
		d.faultKey(at+"/micro_batches", fmt.Sprintf("%d micro-batches cannot be cut from a global batch of %d records", n.MicroBatches, n.GlobalBatchSize), fmt.Sprintf("leave micro_batches out for its default of %d", DefaultMicroBatches(n.GlobalBatchSize)))
	}
	if p := t.Parallelism; p.Wire == "bf16" && p.Reduction != "exact" {
		d.faultKey("/spec/parallelism/wire", fmt.Sprintf("wire bf16 does not go with reduction %s", p.Reduction), "gradients are rounded so that exact sums of them take fewer bytes: write reduction: exact, or leave wire out")
	}
	if w.Min > w.Max {
		d.faultKey("/spec/parallelism/workers/min", fmt.Sprintf("workers.min %d is more than workers.max %d", w.Min, w.Max), "")
	} else if w.Min > n.MicroBatches {
		d.faultKey("/spec/parallelism/workers/min", fmt.Sprintf("workers.min %d is more than the %d micro-batches of a step", w.Min, n.MicroBatches), "a worker needs at least one: raise training.micro_batches")
	}
}

// checkMonitors checks that what is monitored will exist, and that the best state is kept where it is asked for.
func (d *document) checkMonitors(t *TrainJob) {
	c := &t.Checkpoint
	if t.needsBest() && c.KeepBest == 0 {
		d.faultKey("/spec/checkpoint/keep_best", "the best state is asked for, but keep_best is 0", "write keep_best: 1")
	} else if c.Monitor != "" && c.KeepBest == 0 {
		d.faultKey("/spec/checkpoint/monitor", "monitor has no use with keep_best 0", "write keep_best: 1")
	}
	d.checkMonitor(t, c.Monitor, "", "/spec/checkpoint")
	d.checkMonitor(t, t.LRScheduler.Monitor, t.LRScheduler.Mode, "/spec/lr_scheduler")
	if s := t.EarlyStopping; s != nil {
		d.checkMonitor(t, s.Monitor, s.Mode, "/spec/early_stopping")
		if c.Monitor != "" && c.Monitor != s.Monitor {
			d.faultKey("/spec/checkpoint/monitor", fmt.Sprintf("the best checkpoint goes by %s, early stopping by %s", c.Monitor, s.Monitor), "one figure decides what is best: monitor the same")
		}
	}
}

func (d *document) checkMonitor(t *TrainJob, figure, mode, at string) {
	known := t.Monitors()
	if figure == "" {
		return
	}
	if !slices.Contains(known, figure) {
		hint := or(didYouMean(figure, known), "there will be: "+strings.Join(known, ", "))
		if strings.HasPrefix(figure, "val_") && !t.validates() {
			hint = "nothing is validated: give dataset.split a val fraction or dataset.val files"
			if t.Training.EvalEvery == (Interval{}) {
				hint = "nothing is validated: eval_every is never"
			}
		}
		d.faultKey(at+"/monitor", fmt.Sprintf("there will be no figure %q to monitor", figure), hint)
	} else if mode != "" && mode != direction(figure) {
		d.faultKey(at+"/mode", fmt.Sprintf("mode %s does not suit %s", mode, figure), "leave mode out")
	}
}
