// Package arch is the architecture as a test: who may import whom, and the house rules that are cheap to check. It has
// no code of its own.
//
// A new import between packages of this module fails here until it is listed in the table, which is where a reviewer
// sees it; what the table itself may list is checked against the rules that do not change:
//
//  1. Leaves do not import one another, apart from the arithmetic that model, optim and fixed take from kernel. They
//     may import rng and spec.
//  2. Only those who speak the wire protocol or keep its messages import the generated API.
//  3. Nothing imports a command or, outside tests, testcluster and ringtest.
//  4. Pure packages have no clock, no randomness but rng, no network, no files and no log.
package arch
