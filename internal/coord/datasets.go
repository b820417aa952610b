package coord

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/ckpt"
	"lockstep/internal/job"
	"lockstep/internal/manifest"
	"lockstep/internal/spec"
)

// datasetsServer keeps the datasets that users push: their bytes are chunks like those of checkpoints, the list of
// which is committed once all of them are on a majority.
type datasetsServer struct {
	lockstepv1.UnimplementedDatasetsServer
	*Node
}

// PushDataset commits a dataset, or tells which of its chunks have to be put first. A push that was interrupted goes on in
// this way where it was.
func (s *datasetsServer) PushDataset(ctx context.Context, r *lockstepv1.PushDatasetRequest) (*lockstepv1.PushDatasetResponse, error) {
	if !spec.ValidName(r.Name) {
		return nil, status.Errorf(codes.InvalidArgument, "dataset %q: want a name of small letters, digits and dashes, up to 63", r.Name)
	}
	m, err := manifest.Decode(r.Manifest)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "dataset %q: %v", r.Name, err)
	}
	missing, err := s.missingOf(ctx, m)
	if err != nil || len(missing) > 0 {
		return &lockstepv1.PushDatasetResponse{Missing: missing}, err
	}
	_, root := m.Encode()
	d := &lockstepv1.Dataset{Name: r.Name, Root: root[:], Manifest: r.Manifest, Files: uint64(len(m.Files)), Size: m.Size()}
	if _, err := s.propose(ctx, &lockstepv1.Command{RequestId: r.RequestId, Op: &lockstepv1.Command_SetDataset{
		SetDataset: &lockstepv1.SetDataset{Dataset: d}}}); err != nil {
		return nil, err
	}
	found, err := s.findDataset(r.Name, nil)
	return &lockstepv1.PushDatasetResponse{Dataset: withoutManifest(found)}, err
}

// missingAtOnce is how many chunks coordinators are asked for in one request.
const missingAtOnce = 4096

func (n *Node) missingOf(ctx context.Context, m *manifest.Manifest) (missing []uint32, err error) {
	for from := 0; from < len(m.Chunks); from += missingAtOnce {
		var hashes [][]byte
		for i := from; i < min(from+missingAtOnce, len(m.Chunks)); i++ {
			hashes = append(hashes, m.Chunks[i].Hash[:])
		}
		part, err := n.missing(ctx, hashes)
		if err != nil {
			return nil, status.FromContextError(err).Err()
		}
		for _, i := range part {
			missing = append(missing, uint32(from)+i)
		}
	}
	return missing, nil
}

func (s *datasetsServer) GetDataset(_ context.Context, r *lockstepv1.GetDatasetRequest) (*lockstepv1.Dataset, error) {
	return s.findDataset(r.Name, r.Root)
}

// findDataset returns the dataset of a name, or the version with a root.
func (n *Node) findDataset(name string, root []byte) (d *lockstepv1.Dataset, err error) {
	n.fsm.read(func(s *job.State) {
		if d = s.Dataset(name); len(root) > 0 {
			d = s.DatasetVersion(root)
		}
	})
	if d == nil {
		return nil, status.Errorf(codes.NotFound, "there is no dataset %q: push it with \"lockstep dataset push %s PATH\"", name, name)
	}
	return d, nil
}

func withoutManifest(d *lockstepv1.Dataset) *lockstepv1.Dataset {
	if d == nil {
		return nil
	}
	d = proto.CloneOf(d)
	d.Manifest = nil
	return d
}

func (s *datasetsServer) ListDatasets(context.Context, *lockstepv1.ListDatasetsRequest) (*lockstepv1.ListDatasetsResponse, error) {
	out := &lockstepv1.ListDatasetsResponse{}
	for _, d := range s.datasets() {
		if !d.Replaced {
			out.Datasets = append(out.Datasets, withoutManifest(d))
		}
	}
	return out, nil
}

func (n *Node) datasets() (all []*lockstepv1.Dataset) {
	n.fsm.read(func(s *job.State) { all = s.Datasets() })
	return all
}

func (s *datasetsServer) DeleteDataset(ctx context.Context, r *lockstepv1.DeleteDatasetRequest) (*lockstepv1.DeleteDatasetResponse, error) {
	_, err := s.propose(ctx, &lockstepv1.Command{Op: &lockstepv1.Command_DeleteDataset{DeleteDataset: &lockstepv1.DeleteDataset{Name: r.Name}}})
	return &lockstepv1.DeleteDatasetResponse{}, err
}

// pinned returns the root of the pushed dataset that a job reads, as it is now; nil if it reads something else.
func (n *Node) pinned(source string) ([]byte, error) {
	name, ok := strings.CutPrefix(source, spec.DatasetScheme)
	if !ok {
		return nil, nil
	}
	d, err := n.findDataset(name, nil)
	return d.GetRoot(), err
}

// chunksOf lists the chunks of a dataset.
func (n *Node) chunksOf(d *lockstepv1.Dataset) []ckpt.Hash {
	m, err := manifest.Decode(d.Manifest)
	if err != nil {
		n.log.Error("dataset cannot be read", "dataset", d.Name, "error", err) // it was checked before it was committed
		return nil
	}
	out := make([]ckpt.Hash, len(m.Chunks))
	for i, c := range m.Chunks {
		out[i] = ckpt.Hash(c.Hash)
	}
	return out
}
