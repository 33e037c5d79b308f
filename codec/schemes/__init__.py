r"""The codecs behind one interface, `base.Scheme`; and what is inside their segments, to the bit.

All that a reader needs beside the file is the model file whose digest the header names. Numbers
are integers and `/` rounds down unless said otherwise; `>>` shifts with the sign; `clip(v, a, b)`
is the nearest value in `a..b`. A check is the low 16 bits of a CRC-32, 2 bytes; what is checked is
made of bytes, or of int32 in 4 bytes each. A reader MUST refuse a segment whose check, number of
segments, stream end or ranges are not as said here.

**Model files.** An ONNX file (opset 18) that holds networks side by side, its *roles*: every
node, value and weight of a role is named `role/...`, and the graph's fields with such names, with
the model's other fields, are an ONNX model of its own. Weights named `tables/...` are tables. The
metadata property `gencodec` is JSON: `settings`, and `exact`, the integer layers of each role
(`codec/modelfile/__init__.py` has it all, and older names). Networks that choose tables work on
integers in float32 and are exact on any runtime that adds in float32.

**Quality.** Of `quality_map`, pairs of quality and position: with the first pair `(q1, p1)` of
`q1 >= quality` and the one before it, the position is
`p0 + ((p1 - p0) * (quality - q0) * 2 + q1 - q0) / (2 * (q1 - q0))`. At a position the weights of
`n` gain levels (the networks' input `mix`) are 0 but for level `i = min(position / 256, n - 2)`
and the next, which has `position - 256 i` where `i` has the rest of 256.

**The grid.** A position is 16 x 16 pixels; a picture has `ceil(height / 16)` rows of them. An axis
of `n` positions is cut into `k = ceil(n / largest)` spans; span `i` of `0..k-1` ends at
`4 * ceil(ceil(n / 4) * (i + 1) / k)`, the last at `n`. Segments are the boxes of these, in raster
order; `largest` is 32 for autoencoder, 48 for flow and vqvae, 128 for graphics.

**Streams.** Words of 32 bits, little-endian, taken from the end; the last MUST NOT be 0. The state
begins at 0 and takes words (`state = state << 32 | word`) until it is 2^32 or more, or none are
left. A symbol whose model gives it the interval `begin..begin + width - 1` of `0..2^24 - 1` is
that in whose interval `state % 2^24` lies; then
`state = (state >> 24) * width + state % 2^24 - begin`, and it takes one word if it is below 2^32
and there is one. After the last symbol of a segment the state MUST be 0 and no word left.

* Model of `n` weights of sum `W`: symbol `k` begins at `floor(s * f) + k`, `s` being the sum of
  the weights before it and `f = (2^24 - n) / W`, both in float64, each rounded once; the last one
  ends at 2^24.
* Uniform model of `m` symbols, `m` a power of two: intervals of equal width.
* A *row* of a table (`low`, `size`, and of `freq` as many as its size, rows one after another) has
  weights of sum 2^16 for the values `low, low + 1, ...`; the last is the *escape*.

A list of values, each under a row of its own, is coded row by row, ascending, and within a row in
the order of the list. In blocks, where the table is said to have them, and the row has more than
two weights, one of them for the value 0 and that at least 2^15, and at least 64 values of the list:
first a symbol for each 8 values, the last ones fewer, whose bits from the highest say which are
not 0 (bits of no value MUST be 0); then those that are not, under the row's weights without that
of 0. A symbol of `k` bits has the weight `max(1, 2^22 * z^(8-k) * (2^16 - z)^k / 2^128)`, `z` being
the weight of 0; the symbol 0 has what is left of 2^22. After all rows come the escaped values,
in the order in which their escapes came: the lengths `L` of all (uniform, 16), then the sides of
all (uniform, 2), then for `L = 1..15` the offsets of those of that length (uniform, 2^L). With
`d = 2^L - 1 + offset` the value is `low - 1 - d` if the side is 1, else `low + size - 1 + d`.

**autoencoder.** A segment: check (of all that follows, in this order), stream. `y` is `y` channels
of h x w, `z` of `ceil(h / 4)` x `ceil(w / 4)`. Lists in raster order, channel by channel:

1. For each position of `z` a prior, under one row: for each prior its column of
   `prior_index_freq` times the weights of the levels, summed, `/ 256`; what the sum lacks of
   2^16 - 1 goes to the first of the largest; the escape has 1. A prior MUST be in 0..z_priors - 1.
2. `z`, under row `prior * z + channel` of the tables `z_`; MUST be in -z_max..z_max.
3. Anchors: of the first half of the channels the even positions (row + column), of the others the
   odd ones. `hyper_index`, given `z` and the flat positions `even` and `odd` in a grid of
   `4 * ceil(w / 4)` columns, tells the rows (of the tables `y_`, in blocks) of the even and the odd
   anchors, and features. Values of rows up to `skipped` are 0 and not coded, but for those in the
   first or last row or column.
4. Non-anchors: the rest. `context_index` tells their rows (odd ones of the first half, then even)
   from the anchors' absolute values, at most `residual_max`, the features cut to h x w, `even` and
   `odd` in a grid of w columns, and `place`: of each position the index in even, then odd.

`hyper_mean` and `context_mean`, given the same and the anchors of `y`, tell the means in floats;
`y` is mean plus value. `synthesis` makes pixels, of all `y` or in tiles with `halo` positions more.

**vqvae.** A segment: check of the codes (level by level, raster order), stream. `1 + quality *
levels / 10000` levels, at most `levels`, are sent. Codes are coded level by level, each in the
order of `column + 2 * row`, then of `row`, each under weights of its own of sum 2^20. For level N,
by tables `priorN.*`, all integers, of an offset beyond the segment, or to what is not coded yet,
zeros:

* A layer is `clip((W x + bias + 2^(s-1)) >> s, low, high)`, `s` its shift in `exact` (at 0 nothing
  is added), in -127..127 but for near, far and hidden (0..127) and logits (-1023..1023). A gate of
  x is `(tanh[x1 + 127] * sigmoid[x2 + 127] + 64) >> 7` for the halves x1 and x2 of x. `taps(r, b)`
  are the offsets in -r..r each way, row by row, with `column + 2 * row < b`; what is seen at
  several is put one behind another.
* The condition, from level 1: of each earlier level i the row of `others[i]` that its code names,
  one behind another; `near` of all 3 x 3 of that; `far` of all 3 x 3 of these.
* The state is the gate of `first` of (`own` of the codes at `taps(2, 0)`, condition). Then `depth`
  times it is kept, and `added` of the gate of `gated` of (states kept at `taps(1, 1)`, condition)
  is added to it and the sum clipped to -255..255.
* With `logits` of `hidden` of (state, condition), `exp` of each logit's distance from the largest
  (its last number beyond its end) is m; the weights are `m * (2^20 - codes) / sum of m + 1`, and
  what is left of 2^20 goes to the first of the largest logits.

`synthesis` takes `z`, the sum in float32 of the `codevectors` of the levels sent, lowest first, and
`sent`, 1 for the last level sent; pixels are made as in autoencoder.

**flow.** A segment: a byte (1 if R, G and B are equal, else 0), check of its pixels (R, G, B, row
by row), stream. A picture of one box is one segment; else the first one holds the picture in
front of split 6, and each box adds one for splits 5 to 0. Split `n` halves columns (even `n`) or
rows (odd): pairs `a, b` to `mean = (a + b) >> 1` and `d = a - b`, a last one without partner being
its own mean. Pixels come back as `b = mean - (d >> 1)`, `a = b + d`. R, G and B details are coded
as `co = r - b, m = b + (co >> 1), cg = g - m, y = m + (cg >> 1)`.

1. The base, behind split `2 * levels - 1`: y, cg, co of its pixels (y alone if grey), less those of
   the pixel to the left, in column 0 above, at first 128, 0, 0; under rows 54, 42, 42.
2. From coarse to fine, for each split y, cg and co in turn (y alone if grey), in four passes: of
   each 2 x 2 details those at (row, column) (0, 0), (1, 1), (0, 1), (1, 0), each pass a list. Even
   splits are seen with rows and columns swapped. A detail `k` is 0 unless coded, and decodes to
   `clip(prediction + sign(k) * ((|k| * step + 128) >> 8), low, high)`.
3. With means of R, G and B each of their details lies in
   `max(2 (mean - 255), -2 mean - 1)..min(2 mean + 1, 2 (255 - mean))`; `(a + b) >> 1`, for a and b
   in intervals, in that of the ends; `a - b`, given their mean, in
   `max(2 (mean - b1), 2 (a0 - mean) - 1)..min(2 (mean - b0) + 1, 2 (a1 - mean))`. These give `low`
   and `high`: y is the mean of g and m, m that of r and b, as above.

The step of split `n` is `step[i]` (256ths), `i = position + colour_offset - ((n - 1) *
steps_per_octave) / 2` clipped to the table; of a lossless file `i` is 0. A network, role
`half{min(n, kinds - 2 + n % 2)}_{y, cg or co}`, and of the passes but the first the number 1, 2 or
3 behind it, tells a mean (16ths) and a row (quarters); what a later pass tells is of its positions
alone and is added to that of the first. Its `mix` is at the position `min(i of y, gain_top) *
(gain_levels - 1) * 256 / gain_top`. Inputs, all of the size of the means:

* `planes`: of c = ((r + 2 g + b) >> 2, g - ((r + b) >> 1), r - b) of the means the differences to
  the row below (0 in the last), those to the column at the right, and `(c[0] >> 3) - 16`;
* `known`: the details of the colours before, `features`: the third output of y's network, and
  `errors`: of the passes before, detail less `(mean + 8) >> 4` of the first network, else 0. The
  first and the last are clipped to `detail_max` either way.

The prediction is `(mean + 8) >> 4`, the row `clip((row - row_offset[i] + 2) >> 2, 0, rows)`, `rows`
being one less than those of the table `threshold`. Row 0 is not coded unless the step is 256. With
`f = mean - 16 * prediction` the table's row is, for a row below `split_rows`,
`row * fractions + min(|f| * 128 / step, fractions - 1)`, else `row + (fractions - 1) * split_rows`
(for the base too, with f = 0), and the value coded is `-k` if f is negative.

Around a box its splits see more: split 0 is to give the box, and works on the means that make it,
widened by 4 each way (beginning at an even position, inside the picture), which split 1 is to give,
and so on. Only details of pixels of the box itself are coded.

**graphics.** See `codec/schemes/graphics/tile.py`: a check of the tile's pixels, and a lossless
WebP or PNG file. **Alpha** (`codec/image/alpha.py`): one byte, if all are the same, or such a file,
whose green channel (or grey) it is. Of a greyscale picture the grey is `(R + G + B + 1) / 3`.
"""
