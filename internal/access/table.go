package access

import (
	"net/http"
	"slices"
	"strings"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/certs"
)

// rule is who may call a method.
type rule struct {
	open  bool         // everybody, without a certificate or a token
	roles []certs.Role // these
	rated bool         // people's calls are limited to so many a second: they change something
}

// People, each with all that those above may do.
var (
	readers = []certs.Role{certs.Reader, certs.User, certs.Admin}
	users   = readers[1:]
	admins  = readers[2:]
)

func open() rule                  { return rule{open: true} }
func to(roles ...certs.Role) rule { return rule{roles: roles} }
func (r rule) and(roles ...certs.Role) rule {
	r.roles = append(slices.Clone(r.roles), roles...)
	return r
}
func changes(roles ...certs.Role) rule        { return rule{roles: roles, rated: true} }
func (r rule) allows(who certs.Identity) bool { return r.open || slices.Contains(r.roles, who.Role) }

// methods are those of gRPC. Coordinators pass on to the leader what they were asked for and have allowed, so they may
// call all that people and workers may, on one another.
var methods = map[string]rule{
	lockstepv1.Jobs_SubmitJob_FullMethodName:        changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_GetJob_FullMethodName:           to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_ListJobs_FullMethodName:         to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_CancelJob_FullMethodName:        changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_PauseJob_FullMethodName:         changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_ResumeJob_FullMethodName:        changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_ScaleJob_FullMethodName:         changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_WatchJob_FullMethodName:         to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_WatchEvents_FullMethodName:      to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_GetLedger_FullMethodName:        to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_GetSeries_FullMethodName:        to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_WatchLogs_FullMethodName:        to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_PlaceJob_FullMethodName:         to(readers...).and(certs.Coordinator),
	lockstepv1.Jobs_RetryJob_FullMethodName:         changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_DeleteJob_FullMethodName:        changes(users...).and(certs.Coordinator),
	lockstepv1.Jobs_DeleteCheckpoint_FullMethodName: changes(users...).and(certs.Coordinator),

	lockstepv1.Workers_Register_FullMethodName:         to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Heartbeat_FullMethodName:        to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_WatchAssignment_FullMethodName:  to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Join_FullMethodName:             to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_ReportProgress_FullMethodName:   to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_ReportFault_FullMethodName:      to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_ReportAttempt_FullMethodName:    to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_ReportCheckpoint_FullMethodName: to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Finish_FullMethodName:           to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Fail_FullMethodName:             to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Alert_FullMethodName:            to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_Leave_FullMethodName:            to(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_DrainWorker_FullMethodName:      changes(users...).and(certs.Worker, certs.Coordinator),
	lockstepv1.Workers_ListWorkers_FullMethodName:      to(readers...).and(certs.Coordinator),

	lockstepv1.Chunks_GetChunk_FullMethodName:  to(readers...).and(certs.Worker, certs.Coordinator),
	lockstepv1.Chunks_HasChunks_FullMethodName: to(readers...).and(certs.Worker, certs.Coordinator),
	lockstepv1.Chunks_PutChunk_FullMethodName:  to(users...).and(certs.Worker, certs.Coordinator), // of datasets and snapshots; not rated, they are many

	lockstepv1.Datasets_PushDataset_FullMethodName:   changes(users...).and(certs.Coordinator),
	lockstepv1.Datasets_GetDataset_FullMethodName:    to(readers...).and(certs.Worker, certs.Coordinator),
	lockstepv1.Datasets_ListDatasets_FullMethodName:  to(readers...).and(certs.Coordinator),
	lockstepv1.Datasets_DeleteDataset_FullMethodName: changes(users...).and(certs.Coordinator),

	lockstepv1.Cluster_Announce_FullMethodName:       to(certs.Coordinator),
	lockstepv1.Cluster_GetLogs_FullMethodName:        to(certs.Coordinator),
	lockstepv1.Cluster_GetStatus_FullMethodName:      to(readers...).and(certs.Coordinator),
	lockstepv1.Cluster_TransferLeader_FullMethodName: changes(admins...).and(certs.Coordinator),
	lockstepv1.Cluster_SaveState_FullMethodName:      changes(admins...).and(certs.Coordinator),
	lockstepv1.Cluster_RestoreState_FullMethodName:   changes(admins...).and(certs.Coordinator),

	lockstepv1.Access_CreateToken_FullMethodName: changes(admins...).and(certs.Coordinator),
	lockstepv1.Access_ListTokens_FullMethodName:  to(admins...).and(certs.Coordinator),
	lockstepv1.Access_RevokeToken_FullMethodName: changes(admins...).and(certs.Coordinator),
	lockstepv1.Access_Enroll_FullMethodName:      changes(Join),

	// What workers offer.
	lockstepv1.Peer_Ping_FullMethodName:        to(certs.Coordinator),
	lockstepv1.Peer_GetLogs_FullMethodName:     to(certs.Coordinator),
	lockstepv1.Peer_FetchState_FullMethodName:  to(certs.Worker),
	lockstepv1.Peer_MeasureRing_FullMethodName: changes(users...),
	"/lockstep.v1.Ring/Pass":                   to(certs.Worker),
	"/lockstep.v1.Ring/End":                    to(certs.Worker),

	"/grpc.health.v1.Health/Check":                                   open(),
	"/grpc.health.v1.Health/List":                                    open(),
	"/grpc.health.v1.Health/Watch":                                   to(readers...), // a stream may last
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      to(readers...),
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": to(readers...),
}

// Methods are all methods that stand in the table.
func Methods() map[string]bool {
	all := map[string]bool{}
	for m := range methods {
		all[m] = true
	}
	return all
}

// Allows reports whether an identity, nil for nobody in particular, may call a method.
func Allows(method string, who *certs.Identity) bool {
	r, known := methods[method]
	if !known {
		return false
	}
	return r.open || who != nil && r.allows(*who)
}

// path is a rule for HTTP.
type path struct {
	method string // empty: any
	prefix string // of the path; the whole of it without a slash at its end
	rule   rule
}

// jobsPath is where jobs are listed and submitted.
const jobsPath = "/api/v1/jobs"

// paths are looked through in order.
var paths = []path{
	{http.MethodGet, "/healthz", open()},
	{http.MethodGet, "/readyz", open()},
	{http.MethodGet, "/metrics", to(readers...)},
	{http.MethodGet, "/api/v1/whoami", open()}, // tells a caller about itself alone
	{http.MethodGet, "/api/v1/", to(readers...)},
	{http.MethodPost, jobsPath, changes(users...)},
	{http.MethodPost, jobsPath + "/", changes(users...)},
	{"", "/api/", changes(admins...)},
	{"", "/debug/", changes(admins...)},
	// The page itself is the same text everywhere: it asks for a token, and what it shows is under /api/.
	{http.MethodGet, "/", open()},
}

// ruleOf is the rule for a request over HTTP.
func ruleOf(method, path string) rule {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, p := range paths {
		if p.method != "" && p.method != method {
			continue
		}
		if path == p.prefix || strings.HasSuffix(p.prefix, "/") && strings.HasPrefix(path, p.prefix) {
			return p.rule
		}
	}
	return changes(admins...)
}
