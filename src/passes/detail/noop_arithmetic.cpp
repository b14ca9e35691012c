// SPDX-License-Identifier: Apache-2.0
// Arithmetic with a neutral element.
//
//   x*1  1*x  x/1  x^1  x-0  x+0  0+x  And(x, true)  Or(x, false)  Xor(x, false)  Max(x, -inf)
//   Min(x, +inf)  Clip(x) without or with infinite bounds  Where(true, x, .)  Where(false, ., x)
//   Where(c, x, x)  ChannelAffine(x, 1, 0)  BitShift(x, 0)  Cast to the same type
//
// The neutral operand may be a constant or made by ConstantOfShape, Expand, ... and must not
// enlarge x: ones [3,4] times x [4] is no x. Its shape broadcasts into that of x, by symbolic
// equality. x + (-0) is always x; x + 0 turns -0 into +0, which counts as equal unless the options
// are strict.
#include <cmath>
#include <limits>

#include "passes/detail/edit.h"
#include "passes/detail/facts.h"
#include "passes/detail/noop.h"

namespace sinter::passes {
namespace {

constexpr ValueId kNone;

/// The operand that is left when the other one is full of `number`. `zero_sign` is the sign bit
/// that a zero must have for a bit-exact result, or -1.
struct Neutral {
  double number;
  bool either_side;
  int zero_sign = -1;
};

bool is_neutral(const Graph& g, ValueId x, ValueId unit, const Neutral& neutral, bool strict) {
  const std::optional<double> fill = fill_value(g, unit);
  if (!fill || *fill != neutral.number || !g.shape(x) || !g.shape(unit)) return false;
  if (strict && neutral.zero_sign >= 0 && is_float(g.dtype(x)) &&
      int(std::signbit(*fill)) != neutral.zero_sign)
    return false;
  return broadcasts_into(*g.shape(unit), *g.shape(x));
}

template <int number, bool either_side, int zero_sign = -1>
ValueId unit(const Graph& g, const Node& n, const PassOptions& options) {
  const Neutral neutral{double(number), either_side, zero_sign};
  if (n.inputs.size() != 2) return kNone;
  const ValueId a = n.inputs[0], b = n.inputs[1];
  if (is_neutral(g, a, b, neutral, options.strict_zero)) return a;
  return either_side && is_neutral(g, b, a, neutral, options.strict_zero) ? b : kNone;
}

/// The least (greatest) value of the type, infinite for floats; NaN, which equals nothing, where
/// a double cannot tell it from its neighbours.
double extreme(DType type, bool least) {
  if (is_float(type))
    return least ? -std::numeric_limits<double>::infinity()
                 : std::numeric_limits<double>::infinity();
  const bool is_signed =
      type == DType::i8 || type == DType::i16 || type == DType::i32 || type == DType::i64;
  const int bits = int(8 * element_size(type)) - int(is_signed);
  if (least && !is_signed) return 0.0;
  if (bits > 52) return std::nan("");
  return least ? -std::ldexp(1.0, bits) : std::ldexp(1.0, bits) - 1;
}

template <bool largest>
ValueId max_min(const Graph& g, const Node& n, const PassOptions&) {
  if (n.inputs.size() == 1) return n.inputs[0];
  if (n.inputs.size() != 2) return kNone;
  const ValueId a = n.inputs[0], b = n.inputs[1];
  if (a == b) return a;
  const Neutral neutral{extreme(g.dtype(a), largest), true};
  if (is_neutral(g, a, b, neutral, false)) return a;
  return is_neutral(g, b, a, neutral, false) ? b : kNone;
}

ValueId clip(const Graph& g, const Node& n, const PassOptions&) {
  const DType type = g.dtype(n.inputs[0]);
  for (const size_t i : {size_t(1), size_t(2)})
    if (has_input(n, i) && scalar_value(g, n.inputs[i]) != extreme(type, i == 1)) return kNone;
  return n.inputs[0];
}

ValueId where(const Graph& g, const Node& n, const PassOptions&) {
  const ValueId a = n.inputs[1], b = n.inputs[2];
  const auto condition = fill_value(g, n.inputs[0]);
  const ValueId chosen = a == b ? a : !condition ? kNone : *condition != 0 ? a : b;
  return chosen.valid() && same_shape(g, chosen, n.outputs[0]) ? chosen : kNone;
}

template <bool conjunction>
ValueId logic(const Graph& g, const Node& n, const PassOptions& options) {
  if (n.inputs[0] == n.inputs[1]) return n.inputs[0];
  return unit<int(conjunction), true>(g, n, options);
}

ValueId channel_affine(const Graph& g, const Node& n, const PassOptions&) {
  return fill_value(g, n.inputs[1]) == 1.0 && fill_value(g, n.inputs[2]) == 0.0 &&
                 same_shape(g, n.inputs[0], n.outputs[0])
             ? n.inputs[0]
             : kNone;
}

ValueId cast(const Graph& g, const Node& n, const PassOptions&) {
  const DType from = g.dtype(n.inputs[0]);
  return from != DType::unknown && g.dtype(n.outputs[0]) == from ? n.inputs[0] : kNone;
}

ValueId cast_like(const Graph& g, const Node& n, const PassOptions&) {
  const DType from = g.dtype(n.inputs[0]);
  return from != DType::unknown && g.dtype(n.inputs[1]) == from ? n.inputs[0] : kNone;
}

constexpr NoOpRule kRules[] = {{"Add", unit<0, true, 1>},
                               {"Sum", unit<0, true, 1>},
                               {"Sub", unit<0, false, 0>},
                               {"Mul", unit<1, true>},
                               {"Div", unit<1, false>},
                               {"Pow", unit<1, false>},
                               {"And", logic<true>},
                               {"Or", logic<false>},
                               {"Xor", unit<0, true>},
                               {"BitwiseOr", unit<0, true>},
                               {"BitwiseXor", unit<0, true>},
                               {"BitShift", unit<0, false>},
                               {"Max", max_min<true>},
                               {"Min", max_min<false>},
                               {"Clip", clip},
                               {"Where", where},
                               {"Cast", cast},
                               {"CastLike", cast_like},
                               {"ChannelAffine", channel_affine}};

}  // namespace

std::span<const NoOpRule> arithmetic_noops() { return kRules; }

}  // namespace sinter::passes
