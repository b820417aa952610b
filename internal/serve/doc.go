// Package serve answers inference requests over HTTP, in JSON, by the Open Inference Protocol (KServe's V2 protocol):
//
//	GET  /v2                            the server
//	GET  /v2/health/live, /ready        200, or 503 while it shuts down
//	GET  /v2/models/NAME                inputs and outputs
//	GET  /v2/models/NAME/ready
//	POST /v2/models/NAME/infer          predictions
//	GET  /metrics                       Prometheus
//
// A model's only version is "1" and may be named, as in /v2/models/NAME/versions/1/infer.
//
// Inputs are records as they are before preprocessing. A model of a table has an input for each column, [records], numbers
// or text; any other has one, "input", [records, shape]: numbers, token ids, or texts. Outputs are "output", what the model
// computes, and for classes "class" and "probability".
//
// Records of requests that come together are computed together: a batch waits for more until it is full or its first
// record has waited for long enough. What a record's prediction is does not depend on that.
//
// A Door says who may come in: who has a certificate of an authority, or a token; over HTTPS if it has a certificate of its
// own. Health is open to everybody.
//
// Everything is bounded: bytes and records of a request, requests that wait (beyond it, 503), and the time of one (504).
package serve
