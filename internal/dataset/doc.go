// Package dataset turns files into the numbers that a model reads.
//
//	files --decode--> records --cut--> train | val | test --preprocess--> Batch
//
// Decoding knows the formats: csv, idx, npy and text, plain or gzipped (told apart by content, not by name), npz, folders of
// images, jsonl and parquet. A
// record's numbers are float32 whatever they are stored as, so that equal records in other formats are equal here. What is fitted to
// data (class order, category values, vocabulary, means, deviations, ranges) is settled while opening; from then on a record's
// numbers are a pure function of its number in the split and the epoch.
//
// # Targets
//
// The labels of arrays are classes where each is a single whole number, and numbers otherwise, unless the specification's target
// says: a number is a number however it is stored, and a category is a class, if it is whole. A table's target says always.
//
// # Splits
//
// Explicit val and test files are splits as they are, and the fraction of a split that has files of its own is
// left unused. The fractions of spec.Split cut the train files' n records: their numbers are permuted by the stream
// of (seed, rng.SplitOrder); of the permuted sequence, train takes the first round(n*train), val goes on to
// round(n*(train+val)) and test to round(n*(train+val+test)); inside each split the records keep the order of the file.
//
// The values of categories, and classes, are those of all the train files, before fractions cut them: so the shape of a record
// does not depend on the seed, and a class that is rare is never one too many for val or test. Only names are taken from there;
// numbers (means, deviations, ranges, medians) and a text's vocabulary are of the training split alone. Values that only explicit
// val or test files have are an error, or "unknown" where a feature says unknown: bucket.
//
// Fractions cut a text as it runs, in the same proportions of its n tokens: the first part trains, what follows
// validates, the rest tests.
//
// # Text
//
// A text's tokens are its characters (of UTF-8, a byte-order mark at its beginning left out) or its bytes. Records
// are windows of T tokens that do not overlap, and the target of each token is the one after it: of a split's tokens
// x[0] ... x[n-1], record i reads x[i*T] ... x[i*T+T-1] and predicts x[i*T+1] ... x[i*T+T], for all i with i*T+T < n;
// what is left at the end is unused. The vocabulary of characters is the sorted set of those in the training split;
// another one in val or test is an error. That of bytes is 0 to 255. A byte-pair encoding is learned from the bytes of the
// training split: a text is cut by bytes, then each split is encoded by itself; see learnBPE.
//
// # Preprocessing
//
// Every step is computed in float64, one operation after the other without fusing, and the result is rounded once to
// float32. A step acts on each element of the input's last axis by itself: on each channel of an image, on each
// number column of a table. Categories are one-hot encoded and not preprocessed further.
//
//	rescale      x*scale + offset
//	standardize  (x - mean) / std, where the population mean and deviation of the training split, as the step finds
//	             it, stand in for absent ones; a constant counts as std 1
//	min_max      (x - min) / (max - min), likewise
//
// A missing number of a table is an error, or becomes the mean or median of the training split's others, or a value, before
// all that.
//
// The sums behind a mean and a deviation run over the training split in record order.
//
// # Augmentation
//
// The images of the training split are changed at random each time they are read, before they become their own
// target where there is no other. Augmentation k of the list, applied to record r in epoch e, draws from the stream of
// (seed, rng.Augment, e, r, k).
//
//	random_flip  mirrors left and right (horizontal), then top and bottom (vertical), each with probability 1/2
//	random_crop  moves the image by dy rows and dx columns, each uniform in -pixels ... pixels; what comes in from
//	             outside is the number 0, preprocessed
//	random_rotation      turns about the middle by an angle uniform in -degrees ... degrees, pixels weighted by distance
//	random_resized_crop  stretches a part to the image's size: its share of each side is uniform in scale ... 1
//	gaussian_noise       adds stddev times a normal number to every number, of any record
//	mixup                mixes record r with a record p of the split, uniform, which is augmented by the rest of the list as
//	                     itself: l*r + (1-l)*p with l from Beta(alpha, alpha), targets likewise; it comes last
//
// # New records
//
// Input makes what a finished model reads of new records, by what Info says was settled: from the texts of cells, JSON objects, rows of
// parquet, numbers or text. A cell that is an array has the text of a JSON array.
//
// # Bad input
//
// Files come from outside: whatever is in them gives a *RecordError, which names the file, the record, the line, the
// column and the value as far as they are known, and takes no more memory than the limits allow. Parquet's library believes
// what lengths and counts claim, so everything that it is given is judged before: a file takes at most 100 MB or 500 times its
// size, whichever is more, and of that one page of each column at a time; see pageCheck.
package dataset
