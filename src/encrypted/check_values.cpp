// SPDX-License-Identifier: Apache-2.0
// The value of every instruction: level, scale, period and what its sums still lack.
#include <algorithm>
#include <bit>
#include <cmath>

#include "encrypted/detail/check_program.h"

namespace sinter::encrypted::detail {
namespace {

using State = ValueState;

constexpr double kTolerance = 1e-9;

class ValueChecker {
 public:
  explicit ValueChecker(const EncryptedProgram& program) : p_(program) {}

  std::vector<State> run() {
    for (index_ = 0; index_ < std::ssize(p_.instructions); ++index_) states_.push_back(step());
    return std::move(states_);
  }

 private:
  const Instruction& now() const { return p_.instructions[size_t(index_)]; }

  template <class... Parts>
  void expect(bool ok, const Parts&... parts) const {
    if (ok) return;
    const bool named = index_ < std::ssize(p_.instructions) && now().layer >= 0 &&
                       now().layer < std::ssize(p_.layers);
    fail(ErrorKind::bad_input, "program: instruction ", index_, " (", name(now().op),
         named ? ", layer \"" + p_.layers[size_t(now().layer)].name + "\"" : std::string(),
         "): ", parts...);
  }

  const State& operand(i32 v) const {
    expect(v >= 0 && v < index_, "operand ", v, " is not an earlier value");
    return states_[size_t(v)];
  }
  const State& complete(i32 v) const {
    const State& s = operand(v);
    expect(!s.is_partial(), "operand ", v, " still holds partial sums of period ", s.period,
           ", to be folded to ", s.wanted);
    return s;
  }

  State step() const {
    const Instruction& i = now();
    expect(int(i.op) < kOpcodeCount, "unknown operation");
    expect(i.layer >= 0 && i.layer < std::ssize(p_.layers), "layer ", i.layer, " does not exist");
    check_unused(i);
    const State s = result();
    expect(s.level >= 0 && s.level <= p_.params.max_level(), "level ", s.level, " is outside 0 to ",
           p_.params.max_level());
    expect(i.level == s.level, "expected level ", s.level, ", found ", i.level);
    expect(std::isfinite(i.scale) && i.scale > 0 &&
               std::abs(i.scale - s.scale) <= kTolerance * s.scale,
           "expected scale ", s.scale, ", found ", i.scale);
    expect(i.period == s.period, "expected period ", s.period, ", found ", i.period);
    return s;
  }

  /// One form only: a field that the operation does not read holds its default. What reads operands
  /// without looking at the operation (last_uses) relies on it.
  void check_unused(const Instruction& i) const {
    const bool two = i.op == Opcode::add || i.op == Opcode::multiply;
    expect(i.op != Opcode::input || i.a == -1, "operand a is set and not used");
    expect(two || i.b == -1, "operand b is set and not used");
    expect(i.op == Opcode::input || i.op == Opcode::linear || i.op == Opcode::add_vector ||
               i.op == Opcode::bootstrap || i.table == -1,
           "a table is set and not used");
    expect(i.op == Opcode::fold || i.op == Opcode::drop || i.steps == 0,
           "steps are set and not used");
    expect(i.op == Opcode::linear || i.plain_scale == 0, "a plaintext scale is set and not used");
  }

  State result() const {
    const Instruction& i = now();
    switch (i.op) {
      case Opcode::input:
        return input(i);
      case Opcode::drop:
        return dropped(i);
      case Opcode::linear:
        return mapped(i);
      case Opcode::rescale:
        return rescaled(i);
      case Opcode::fold:
        return folded(i);
      case Opcode::add:
        return added(i);
      case Opcode::add_vector:
        return vector_added(i);
      case Opcode::square:
      case Opcode::multiply:
        return multiplied(i);
      case Opcode::bootstrap:
        return bootstrapped(i);
    }
    fail(ErrorKind::bad_input, "program: instruction ", index_, ": unknown operation");
  }

  State input(const Instruction& i) const {
    expect(i.table == index_ && index_ < p_.input_count(), "expected input ", index_, " of ",
           p_.input_count(), ", before everything else, found input ", i.table);
    expect(is_power_of_two(i.period) && i.period <= p_.slots(), "period ", i.period,
           " is not a power of two up to ", p_.slots());
    return {i.level, p_.params.scale(), i.period, i.period};
  }

  State dropped(const Instruction& i) const {
    State s = operand(i.a);
    expect(i.level >= 0 && i.level <= s.level, "cannot drop from level ", s.level, " to ", i.level);
    s.level = i.level;
    if (i.steps == 0) return s;
    expect(!s.is_partial() && is_power_of_two(i.steps) && i.steps < s.period, "a sum to period ",
           i.steps, " of a value of period ", s.period);
    s.wanted = i.steps;
    return s;
  }

  State mapped(const Instruction& i) const {
    State s = complete(i.a);
    expect(i.table >= 0 && i.table < std::ssize(p_.maps), "map ", i.table, " does not exist");
    const LinearMap& m = p_.maps[size_t(i.table)];
    expect(m.in_period % s.period == 0, "the map expects period ", m.in_period, ", found ",
           s.period);
    expect(std::isfinite(i.plain_scale) && i.plain_scale >= 1, "plaintext scale ", i.plain_scale);
    s.scale *= i.plain_scale;
    s.period = m.period();
    s.wanted = m.out_period;
    return s;
  }

  State rescaled(const Instruction& i) const {
    State s = operand(i.a);
    expect(s.level >= 1, "no level left to rescale");
    s.scale /= double(p_.params.q(s.level));
    --s.level;
    return s;
  }

  State folded(const Instruction& i) const {
    State s = operand(i.a);
    expect(s.is_partial(), "a fold of complete sums counts them twice");
    expect(i.steps == s.period / 2, "expected a fold by ", s.period / 2, ", found ", i.steps);
    s.period /= 2;
    return s;
  }

  State added(const Instruction& i) const {
    const State &a = operand(i.a), &b = operand(i.b);
    expect(a.level == b.level, "levels differ: ", a.level, " and ", b.level);
    expect(std::abs(a.scale - b.scale) <= kTolerance * a.scale, "scales differ: ", a.scale, " and ",
           b.scale);
    expect(a.period == b.period && a.wanted == b.wanted, "periods differ: ", a.period, " to ",
           a.wanted, " and ", b.period, " to ", b.wanted);
    return a;
  }

  State vector_added(const Instruction& i) const {
    State s = complete(i.a);
    expect(i.table >= 0 && i.table < std::ssize(p_.vectors), "vector ", i.table, " does not exist");
    const i64 period = p_.vectors[size_t(i.table)].period;
    expect(period % s.period == 0, "the vector has period ", period, ", the value ", s.period);
    s.period = s.wanted = period;
    return s;
  }

  State multiplied(const Instruction& i) const {
    State s = complete(i.a);
    const State& other = i.op == Opcode::square ? s : complete(i.b);
    expect(s.level == other.level, "levels differ: ", s.level, " and ", other.level);
    s.scale *= other.scale;
    s.period = s.wanted = std::max(s.period, other.period);
    return s;
  }

  State bootstrapped(const Instruction& i) const {
    State s = complete(i.a);
    expect(i.table >= 0 && i.table < std::ssize(p_.bootstraps), "bootstrap ", i.table,
           " does not exist");
    const ckks::BootstrapOptions& o = p_.bootstraps[size_t(i.table)];
    expect(o.slots % s.period == 0, "the bootstrap is of ", o.slots,
           " slots, the value has period ", s.period);
    const double room = std::log2(double(p_.params.q(0))) - std::log2(s.scale);
    expect(room >= o.log_message_ratio - 1 - 1e-3, "a bootstrap of message ratio 2^",
           o.log_message_ratio, " expects log2 q_0 - log2 scale of at least ",
           o.log_message_ratio - 1, ", found ", room);
    const double range = p_.layers[size_t(p_.instructions[size_t(i.a)].layer)].range;
    expect(range <= 1, "a bootstrap expects values up to 1, found ", range);
    s.level = o.target_level;
    s.scale = o.output_scale;
    return s;
  }

  const EncryptedProgram& p_;
  std::vector<State> states_;
  i64 index_ = 0;
};

}  // namespace

bool is_power_of_two(i64 v) { return v >= 1 && std::has_single_bit(u64(v)); }

std::vector<ValueState> check_values(const EncryptedProgram& program) {
  return ValueChecker(program).run();
}

}  // namespace sinter::encrypted::detail
