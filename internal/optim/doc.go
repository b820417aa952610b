// Package optim turns the summed gradient of a step into new parameters: learning-rate schedules, clipping by global
// norm, and the update rules sgd, adam, adamw, amsgrad, rmsprop and adagrad.
//
// Everything here is a pure function of its arguments: an update's bits do not depend on how it was cut into blocks
// or on how many cores computed it. Conventions are PyTorch's, hyper-parameters are float64 and what follows from them
// (1-beta_2, bias corrections, rates) is computed in float64 and rounded to float32 once.
package optim
