// SPDX-License-Identifier: Apache-2.0
// RNN, LSTM and GRU. Every direction and every item of the batch runs by itself over its own
// length; a reversed direction starts at its last step. What lies behind the length is 0, and so
// are the states of an item of length 0, as ONNX Runtime has it. With layout = 1 the batch is the
// first axis of everything but the weights.
//
//   a_g = W_g x + Wb_g + R_g h + Rb_g, the sums of gate g; every sum is clipped to [-clip, clip]
//   RNN   h' = f(a)
//   GRU   z = f(a_z), r = f(a_r), h' = (1 - z) n + z h
//         n = g(W_n x + Wb_n + R_n (r h) + Rb_n)           linear_before_reset = 0
//         n = g(W_n x + Wb_n + r (R_n h + Rb_n))           linear_before_reset = 1
//   LSTM  i = f(a_i + P_i c), F = f(a_f + P_f c), n = g(a_c)
//         c' = F c + i n, o = f(a_o + P_o c'), h' = o h(c')  F = 1 - i with input_forget
// The gates lie in the weights in the orders z r n and i o F n.
#include "graph/ops/detail/recurrent.h"

namespace sinter {

using namespace detail;

void infer_RNN(InferContext&);
void infer_LSTM(InferContext&);
void infer_GRU(InferContext&);

namespace {

enum Input : i64 { kX, kW, kR, kBias, kLengths, kInitialH, kInitialC, kPeepholes };

i64 read_directions(const InferContext& ctx) {
  const std::string text = ctx.attributes().text("direction", "forward");
  ctx.check(text == "forward" || text == "reverse" || text == "bidirectional",
            "direction: expected forward, reverse or bidirectional, found ", text);
  return text == "bidirectional" ? 2 : 1;
}

void expect_dims(const InferContext& ctx, i64 i, const Shape& expected) {
  const Shape* shape = ctx.shape(i);
  if (!shape) return;
  bool fits = shape->size() == expected.size();
  for (size_t a = 0; fits && a < expected.size(); ++a) fits = !differ(shape->at(a), expected[a]);
  ctx.check(fits, "input ", i, ": expected shape ", to_text(expected), ", found ", to_text(*shape));
}

Dim hidden_size(const InferContext& ctx) {
  const i64 size = ctx.attributes().integer("hidden_size", 0);
  ctx.check(size >= 0 && size <= kMaxElements, "expected hidden_size of 1 or more, found ", size);
  if (size > 0) return size;
  const Shape* r = ctx.shape(kR);
  return r && r->size() == 3 ? r->at(2) : Dim::unknown();
}

void infer_recurrent(InferContext& ctx, i64 gates) {
  expect_float(ctx, kX);
  for (i64 i : {kW, kR, kBias, kInitialH, kInitialC, kPeepholes})
    ctx.check(!ctx.has(i) || ctx.input(i).dtype == ctx.input(kX).dtype, "input ", i,
              ": expected the element type of input 0, ", name(ctx.input(kX).dtype));
  ctx.check(!ctx.has(kLengths) || ctx.input(kLengths).dtype == DType::i32,
            "input 4: expected lengths of element type i32");
  const bool batch_first = ctx.attributes().integer("layout", 0) != 0;
  const Dim directions = read_directions(ctx), hidden = hidden_size(ctx);
  const Shape* x = ctx.shape(kX);
  ctx.check(!x || x->size() == 3, "expected an input of rank 3, found ", x ? to_text(*x) : "");
  const Dim steps = x ? x->at(batch_first ? 1 : 0) : Dim(), batch = x ? x->at(!batch_first) : Dim();
  expect_dims(ctx, kW, {directions, Dim(gates) * hidden, x ? x->at(2) : Dim()});
  expect_dims(ctx, kR, {directions, Dim(gates) * hidden, hidden});
  expect_dims(ctx, kBias, {directions, Dim(2 * gates) * hidden});
  expect_dims(ctx, kLengths, {batch});
  const Shape state =
      batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  for (i64 i : {kInitialH, kInitialC}) expect_dims(ctx, i, state);
  expect_dims(ctx, kPeepholes, {directions, Dim(3) * hidden});
  const Shape all = batch_first ? Shape{batch, steps, directions, hidden}
                                : Shape{steps, directions, batch, hidden};
  for (i64 i = 0; i < ctx.output_count(); ++i)
    set_output(ctx, i, ctx.input(kX).dtype, i == 0 ? all : state);
}

/// Sizes, and where things lie.
struct Frame {
  i64 steps, batch, inputs, hidden, directions;
  bool batch_first;

  explicit Frame(const EvalContext& ctx) : batch_first(ctx.attributes.integer("layout", 0) != 0) {
    const Tensor &x = ctx.in(kX), &r = ctx.in(kR);
    steps = x.dim(batch_first ? 1 : 0);
    batch = x.dim(batch_first ? 0 : 1);
    inputs = x.dim(2);
    hidden = r.dim(2);
    directions = r.dim(0);
  }
  i64 x_at(i64 t, i64 n) const { return (batch_first ? n * steps + t : t * batch + n) * inputs; }
  i64 state_at(i64 d, i64 n) const {
    return (batch_first ? n * directions + d : d * batch + n) * hidden;
  }
  i64 y_at(i64 t, i64 d, i64 n) const {
    return (batch_first ? (n * steps + t) * directions + d : (t * directions + d) * batch + n) *
           hidden;
  }
};

/// The weights of one direction.
template <class T>
struct Cell {
  const T *w, *r, *bias, *peepholes;  ///< the last two may be nullptr
  i64 inputs, hidden, gates, direction;
  T clip;  ///< 0 = none

  Cell(const EvalContext& ctx, const Frame& f, i64 gate_count, i64 d)
      : inputs(f.inputs), hidden(f.hidden), gates(gate_count), direction(d) {
    const auto part = [&](i64 i, i64 size) {
      return ctx.has(i) ? ctx.in(i).data<T>().data() + d * size : nullptr;
    };
    w = part(kW, gates * hidden * inputs);
    r = part(kR, gates * hidden * hidden);
    bias = part(kBias, 2 * gates * hidden);
    peepholes = part(kPeepholes, 3 * hidden);
    clip = T(ctx.attributes.real("clip", 0.f));
  }

  /// W x + Wb of unit u of gate g.
  T of_input(i64 g, i64 u, const T* x) const {
    const i64 row = g * hidden + u;
    T sum = 0;
    for (i64 i = 0; i < inputs; ++i) sum += w[row * inputs + i] * x[i];
    return bias ? sum + bias[row] : sum;
  }
  /// R h + Rb.
  T of_state(i64 g, i64 u, const std::vector<T>& h) const {
    const i64 row = g * hidden + u;
    T sum = 0;
    for (i64 i = 0; i < hidden; ++i) sum += r[row * hidden + i] * h[size_t(i)];
    return bias ? sum + bias[gates * hidden + row] : sum;
  }
  T peephole(i64 g, i64 u, T c) const { return peepholes ? peepholes[g * hidden + u] * c : T(0); }
  T clipped(T v) const { return clip > 0 ? std::min(std::max(v, -clip), clip) : v; }
};

/// step(cell, x, h, c) moves the state h (and c of LSTM) by one step.
template <class T, class Step>
void walk(const EvalContext& ctx, i64 gates, std::vector<Tensor>& out, const Step& step) {
  const Frame f(ctx);
  const bool reversed = ctx.attributes.text("direction", "forward") == "reverse";
  const auto initial = [&](i64 i, i64 d, i64 n) {
    std::vector<T> state(size_t(f.hidden), T(0));
    if (ctx.has(i))
      std::copy_n(ctx.in(i).data<T>().data() + f.state_at(d, n), f.hidden, state.data());
    return state;
  };
  const auto write = [&](size_t i, i64 at, const std::vector<T>& state) {
    if (i < out.size()) std::copy(state.begin(), state.end(), out[i].mutable_data<T>().data() + at);
  };
  for (i64 d = 0; d < f.directions; ++d) {
    const Cell<T> cell(ctx, f, gates, d);
    for (i64 n = 0; n < f.batch; ++n) {
      const i64 length = ctx.has(kLengths) ? ctx.in(kLengths).as_int(n) : f.steps;
      ctx.check(length >= 0 && length <= f.steps, "expected lengths from 0 to ", f.steps,
                ", found ", length);
      std::vector<T> h = initial(kInitialH, d, n), c = initial(kInitialC, d, n);
      for (i64 i = 0; i < length; ++i) {
        const i64 t = reversed || d == 1 ? length - 1 - i : i;
        step(cell, ctx.in(kX).data<T>().data() + f.x_at(t, n), h, c);
        write(0, f.y_at(t, d, n), h);
      }
      if (length == 0) continue;
      write(1, f.state_at(d, n), h);
      write(2, f.state_at(d, n), c);
    }
  }
}

/// make_step(T{}, activations) gives the step function.
template <class MakeStep>
std::vector<Tensor> run(const EvalContext& ctx, Infer infer, i64 gates,
                        const std::vector<std::string>& defaults, const MakeStep& make_step) {
  std::vector<Tensor> out;
  for (Dims& dims : output_dims(ctx, infer)) out.emplace_back(ctx.in(kX).dtype(), std::move(dims));
  const std::vector<Activation> activations = read_activations(ctx, ctx.in(kR).dim(0), defaults);
  for_float(ctx.in(kX).dtype(), "recurrent network", [&](auto t) {
    using T = decltype(t);
    walk<T>(ctx, gates, out, make_step(t, activations));
  });
  return out;
}

auto rnn_step(const EvalContext&) {
  return [](auto type, const std::vector<Activation>& activations) {
    using T = decltype(type);
    return [&activations](const Cell<T>& cell, const T* x, std::vector<T>& h, std::vector<T>&) {
      const Activation& f = activations[size_t(cell.direction)];
      std::vector<T> next(h.size());
      for (i64 u = 0; u < cell.hidden; ++u)
        next[size_t(u)] = f(cell.clipped(cell.of_input(0, u, x) + cell.of_state(0, u, h)));
      h = std::move(next);
    };
  };
}

auto gru_step(const EvalContext& ctx) {
  const bool linear_first = ctx.attributes.integer("linear_before_reset", 0) != 0;
  return [=](auto type, const std::vector<Activation>& activations) {
    using T = decltype(type);
    return [=, &activations](const Cell<T>& cell, const T* x, std::vector<T>& h, std::vector<T>&) {
      const Activation &f = activations[size_t(2 * cell.direction)],
                       &g = activations[size_t(2 * cell.direction + 1)];
      std::vector<T> reset(h.size()), kept(h.size()), next(h.size());
      for (i64 u = 0; u < cell.hidden; ++u) {
        const size_t s = size_t(u);
        reset[s] = f(cell.clipped(cell.of_input(1, u, x) + cell.of_state(1, u, h)));
        kept[s] = reset[s] * h[s];
      }
      for (i64 u = 0; u < cell.hidden; ++u) {
        const size_t s = size_t(u);
        const T update = f(cell.clipped(cell.of_input(0, u, x) + cell.of_state(0, u, h)));
        const T memory =
            linear_first ? reset[s] * cell.of_state(2, u, h) : cell.of_state(2, u, kept);
        const T candidate = g(cell.clipped(cell.of_input(2, u, x) + memory));
        next[s] = (T(1) - update) * candidate + update * h[s];
      }
      h = std::move(next);
    };
  };
}

auto lstm_step(const EvalContext& ctx) {
  const bool couples = ctx.attributes.integer("input_forget", 0) != 0;
  return [=](auto type, const std::vector<Activation>& activations) {
    using T = decltype(type);
    return
        [=, &activations](const Cell<T>& cell, const T* x, std::vector<T>& h, std::vector<T>& c) {
          const Activation* act = &activations[size_t(3 * cell.direction)];
          std::vector<T> next(h.size());
          const auto sum = [&](i64 gate, i64 u) {
            return cell.of_input(gate, u, x) + cell.of_state(gate, u, h);
          };
          for (i64 u = 0; u < cell.hidden; ++u) {
            T& state = c[size_t(u)];
            const T in = act[0](cell.clipped(sum(0, u) + cell.peephole(0, u, state)));
            const T forget =
                couples ? T(1) - in : act[0](cell.clipped(sum(2, u) + cell.peephole(2, u, state)));
            state = forget * state + in * act[1](cell.clipped(sum(3, u)));
            const T out = act[0](cell.clipped(sum(1, u) + cell.peephole(1, u, state)));
            next[size_t(u)] = out * act[2](state);
          }
          h = std::move(next);
        };
  };
}

}  // namespace

void infer_RNN(InferContext& ctx) { infer_recurrent(ctx, 1); }
void infer_GRU(InferContext& ctx) { infer_recurrent(ctx, 3); }
void infer_LSTM(InferContext& ctx) { infer_recurrent(ctx, 4); }

std::vector<Tensor> evaluate_RNN(const EvalContext& ctx) {
  return through_float(
      ctx, [](const EvalContext& c) { return run(c, infer_RNN, 1, {"Tanh"}, rnn_step(c)); });
}
std::vector<Tensor> evaluate_GRU(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return run(c, infer_GRU, 3, {"Sigmoid", "Tanh"}, gru_step(c));
  });
}
std::vector<Tensor> evaluate_LSTM(const EvalContext& ctx) {
  return through_float(ctx, [](const EvalContext& c) {
    return run(c, infer_LSTM, 4, {"Sigmoid", "Tanh", "Tanh"}, lstm_step(c));
  });
}

}  // namespace sinter
