// Package fixed adds floating-point numbers exactly.
//
// A gradient element g becomes the integer round(g * 2^scale), ties to even, and
// is added to an int64. Integer addition is associative, so the sum does not
// depend on who added what first. Each parameter tensor has one power-of-two
// scale, which is part of the training state and follows the rule of [Scales].
//
// The numbers that everything else here is chosen by, for a scaled value x =
// g * 2^scale and a scaled sum S of a tensor:
//
//	|x| <= 2^51      or Accumulate reports TooLarge and the step is redone
//	n   <= MaxAddends additions of such values fit an int64
//	max |S| about 2^36..2^37 is what the rule steers to: 5 bytes on the wire,
//	                 and two bits to spare for partial sums larger than the total
//
// The rounding error of a sum of n values is at most n/2 units of 2^-scale, that
// is n * 2^-38 of the tensor's largest sum, before the one rounding to float32.
//
// Losses and metrics, few and of any size, are added in [Sum] instead: a wide
// accumulator without any scale.
//
// [Packing] is the lossless wire form of partial sums.
package fixed
