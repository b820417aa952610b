package trainer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/export"
	"lockstep/internal/export/torch"
	"lockstep/internal/model"
)

// begin gives the task the state of a job that has not made a step, and tells what became of the weights of init_from.
func (s *session) begin() error {
	var from []export.Tensor
	j, _ := s.latest()
	if s.task.spec.InitFrom != nil {
		var err error
		if from, err = s.w.client.Weights(s.ctx, j.Initial); err != nil {
			return lostWeights(err)
		}
	}
	note, err := s.task.begin(from)
	if err != nil || note == "" {
		return err
	}
	s.log.Info(note)
	if s.rank == 0 {
		s.send("notice", func(ctx context.Context) error {
			_, err := s.w.client.Alert(ctx, &lockstepv1.AlertRequest{Job: s.jobID, Reason: note, Notice: true})
			return err
		})
	}
	return nil
}

// lostWeights makes an error of reading weights one of the job, if no other worker could read them either.
func lostWeights(err error) error {
	err = fmt.Errorf("init_from: %w", err)
	if code := status.Code(errors.Unwrap(err)); errors.Is(err, ckpt.ErrCorrupt) || code == codes.NotFound || code == codes.DataLoss {
		return &jobError{err}
	}
	return err
}

// transfer copies weights to the parameters of the same name, in this program's layout or in PyTorch's. The others stay
// as they are, and note lists them; one that is frozen, or has another shape, is an error.
func (t *task) transfer(dst []float32, from []export.Tensor) (note string, err error) {
	have, err := torch.Shared(t.net, from)
	if err != nil {
		return "", err
	}
	source := map[string]export.Tensor{}
	for _, x := range append(have, from...) {
		source[x.Name] = x
	}
	var fresh, frozen []string
	for _, p := range t.params {
		x, ok := source[p.Name]
		switch {
		case !ok && p.Kind == model.Frozen:
			frozen = append(frozen, p.Name)
			fallthrough
		case !ok:
			fresh = append(fresh, p.Name)
		case !slices.Equal(x.Shape, p.Shape):
			return "", fmt.Errorf("layer %q: %s has shape %v in the model, and %v in the weights it begins with; give the layer another name to have it initialised anew",
				layerOf(p.Name), p.Name, p.Shape, x.Shape)
		default:
			copy(dst[p.Off:p.Off+p.Len], x.Data)
		}
	}
	switch {
	case len(fresh) == len(t.params):
		return "", fmt.Errorf("none of the weights fits by its name: the model has %s; there are %s", listed(fresh), listed(names(from)))
	case frozen != nil:
		return "", fmt.Errorf("frozen, but not among the weights it begins with: %s; there are %s", listed(frozen), listed(names(from)))
	}
	note = fmt.Sprintf("begins with %d of %d parameters from %s", len(t.params)-len(fresh), len(t.params), t.spec.InitFrom.Digest)
	if fresh != nil {
		note += "; initialised as usual: " + listed(fresh)
	}
	return note, nil
}

// layerOf is the name of the layer that a parameter belongs to.
func layerOf(param string) string { return param[:max(strings.LastIndexByte(param, '/'), 0)] }

func names(tensors []export.Tensor) (out []string) {
	for _, x := range tensors {
		out = append(out, x.Name)
	}
	return out
}

// listed writes names, not more than a message can take.
func listed(names []string) string {
	const most = 12
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
