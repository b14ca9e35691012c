// SPDX-License-Identifier: Apache-2.0
#include "encrypted/check.h"

#include <bit>
#include <cmath>

namespace sinter::encrypted {
namespace {

constexpr double kTolerance = 1e-9;

bool is_power_of_two(i64 v) { return v >= 1 && std::has_single_bit(u64(v)); }

/// What is known of a value: `wanted` < period while slots hold partial sums.
struct State {
  int level = 0;
  double scale = 0;
  i64 period = 0, wanted = 0;
  bool is_partial() const { return wanted < period; }
};

class Checker {
 public:
  explicit Checker(const EncryptedProgram& program) : p_(program) {}

  void run() {
    const i64 count = std::ssize(p_.instructions);
    require(count >= 1, ErrorKind::bad_input, "program: no instructions");
    check_tables();
    for (index_ = 0; index_ < count; ++index_) states_.push_back(step());
    check_interface();
    check_used_once();
    require(p_.keys == needed_keys(p_), ErrorKind::bad_input,
            "program: the key manifest is not what the instructions use");
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
    expect(i.op == Opcode::linear || i.op == Opcode::add_vector || i.table == -1,
           "a table is set and not used");
    expect(i.op == Opcode::fold || i.steps == 0, "steps are set and not used");
    expect(i.op == Opcode::linear || i.plain_scale == 0, "a plaintext scale is set and not used");
  }

  State result() const {
    const Instruction& i = now();
    switch (i.op) {
      case Opcode::input: {
        expect(index_ == 0, "the input comes first and once");
        expect(is_power_of_two(i.period) && i.period <= p_.slots(), "period ", i.period,
               " is not a power of two up to ", p_.slots());
        return {i.level, p_.params.scale(), i.period, i.period};
      }
      case Opcode::drop: {
        State s = operand(i.a);
        expect(i.level >= 0 && i.level <= s.level, "cannot drop from level ", s.level, " to ",
               i.level);
        s.level = i.level;
        return s;
      }
      case Opcode::linear: {
        State s = complete(i.a);
        expect(i.table >= 0 && i.table < std::ssize(p_.maps), "map ", i.table, " does not exist");
        const LinearMap& m = p_.maps[size_t(i.table)];
        expect(m.in_period == s.period, "the map expects period ", m.in_period, ", found ",
               s.period);
        expect(std::isfinite(i.plain_scale) && i.plain_scale >= 1, "plaintext scale ",
               i.plain_scale);
        s.scale *= i.plain_scale;
        s.period = m.period();
        s.wanted = m.out_period;
        return s;
      }
      case Opcode::rescale: {
        State s = operand(i.a);
        expect(s.level >= 1, "no level left to rescale");
        s.scale /= double(p_.params.q(s.level));
        --s.level;
        return s;
      }
      case Opcode::fold: {
        State s = operand(i.a);
        expect(s.is_partial(), "a fold of complete sums counts them twice");
        expect(i.steps == s.period / 2, "expected a fold by ", s.period / 2, ", found ", i.steps);
        s.period /= 2;
        return s;
      }
      case Opcode::add: {
        const State &a = operand(i.a), &b = operand(i.b);
        expect(a.level == b.level, "levels differ: ", a.level, " and ", b.level);
        expect(std::abs(a.scale - b.scale) <= kTolerance * a.scale, "scales differ: ", a.scale,
               " and ", b.scale);
        expect(a.period == b.period && a.wanted == b.wanted, "periods differ: ", a.period, " to ",
               a.wanted, " and ", b.period, " to ", b.wanted);
        return a;
      }
      case Opcode::add_vector: {
        const State& s = complete(i.a);
        expect(i.table >= 0 && i.table < std::ssize(p_.vectors), "vector ", i.table,
               " does not exist");
        expect(p_.vectors[size_t(i.table)].period == s.period, "the vector has period ",
               p_.vectors[size_t(i.table)].period, ", the value ", s.period);
        return s;
      }
      case Opcode::square:
      case Opcode::multiply: {
        State s = complete(i.a);
        const State& other = i.op == Opcode::square ? s : complete(i.b);
        expect(s.level == other.level, "levels differ: ", s.level, " and ", other.level);
        s.scale *= other.scale;
        s.period = s.wanted = std::max(s.period, other.period);
        return s;
      }
    }
    fail(ErrorKind::bad_input, "program: instruction ", index_, ": unknown operation");
  }

  static bool is_sound(const SlotVector& v, i64 slots) {
    if (!is_power_of_two(v.period) || v.period > slots) return false;
    i64 end = 0;
    for (const Run& run : v.runs) {
      if (i64(run.start) < end || run.length < 1 || !std::isfinite(run.value)) return false;
      end = i64(run.start) + i64(run.length);
      if (end > v.period) return false;
    }
    return true;
  }

  void check_tables() const {
    const auto expect_table = [](bool ok, std::string_view what, size_t k) {
      require(ok, ErrorKind::bad_input, "program: ", what, " ", k, " is malformed");
    };
    for (size_t k = 0; k < p_.vectors.size(); ++k)
      expect_table(is_sound(p_.vectors[k], p_.slots()), "vector", k);
    for (size_t k = 0; k < p_.maps.size(); ++k) {
      const LinearMap& m = p_.maps[k];
      bool ok = is_power_of_two(m.in_period) && is_power_of_two(m.out_period) &&
                m.period() <= p_.slots() && m.baby_count >= 1 && m.baby_count <= p_.slots() &&
                !m.indices.empty() && m.indices.size() == m.rows.size();
      for (size_t d = 0; ok && d < m.indices.size(); ++d)
        ok = m.indices[d] >= (d == 0 ? 0 : m.indices[d - 1] + 1) &&
             m.indices[d] < std::min(m.in_period, m.out_period) && m.rows[d].period == m.period() &&
             is_sound(m.rows[d], p_.slots());
      expect_table(ok, "map", k);
    }
  }

  /// Every table belongs to exactly one instruction.
  void check_used_once() const {
    std::vector<i32> maps(p_.maps.size(), 0), vectors(p_.vectors.size(), 0);
    for (const Instruction& i : p_.instructions) {
      if (i.op == Opcode::linear) ++maps[size_t(i.table)];
      if (i.op == Opcode::add_vector) ++vectors[size_t(i.table)];
    }
    for (const auto* uses : {&maps, &vectors})
      for (size_t k = 0; k < uses->size(); ++k)
        require((*uses)[k] == 1, ErrorKind::bad_input,
                "program: ", uses == &maps ? "map " : "vector ", k, " is used ", (*uses)[k],
                " times, expected once");
  }

  void check_interface() const {
    const auto count = [](const Dims& dims) {
      i64 n = 1;
      for (i64 d : dims) {
        require(d >= 1 && d <= (i64(1) << 31), ErrorKind::bad_input, "program: dimension ", d);
        n *= d;
        require(n <= (i64(1) << 31), ErrorKind::bad_input, "program: a tensor too large");
      }
      return n;
    };
    require(p_.instructions[0].op == Opcode::input, ErrorKind::bad_input,
            "program: the first instruction is not the input");
    require(p_.input_limit >= 0 && p_.output_limit >= 0, ErrorKind::bad_input,
            "program: expected limits of input and output of at least 0, found ", p_.input_limit,
            " and ", p_.output_limit);
    const i64 inputs = count(p_.input_dims);
    require(std::ssize(p_.input_elements) == states_[0].period, ErrorKind::bad_input,
            "program: the input map has ", p_.input_elements.size(), " slots, its value ",
            states_[0].period);
    for (i32 e : p_.input_elements)
      require(e >= -1 && e < inputs, ErrorKind::bad_input, "program: input element ", e,
              " is outside -1 to ", inputs - 1);
    const State& last = states_.back();
    require(!last.is_partial(), ErrorKind::bad_input,
            "program: the output holds partial sums, which would leak intermediate values");
    require(std::ssize(p_.output_slots) == count(p_.output_dims), ErrorKind::bad_input,
            "program: the output map has ", p_.output_slots.size(), " elements, its dims ",
            to_text(p_.output_dims));
    for (i32 s : p_.output_slots)
      require(s >= 0 && s < last.period, ErrorKind::bad_input, "program: output slot ", s,
              " is outside 0 to ", last.period - 1);
    require(p_.params.options().security == ckks::Security::none_for_tests ||
                p_.params.log2_qp() <= p_.params.log2_qp_limit(),
            ErrorKind::bad_input, "program: ", p_.params.security_text());
  }

  const EncryptedProgram& p_;
  std::vector<State> states_;
  i64 index_ = 0;
};

}  // namespace

void check(const EncryptedProgram& program) { Checker(program).run(); }

ckks::KeyManifest needed_keys(const EncryptedProgram& program) {
  ckks::KeyManifest keys;
  const i64 slots = program.slots();
  for (const Instruction& i : program.instructions) {
    if (i.op == Opcode::fold) keys.add_rotation(i.steps, i.level, slots);
    if (i.op == Opcode::linear)
      for (i64 steps : program.maps[size_t(i.table)].plan(slots).rotations)
        keys.add_rotation(steps, i.level, slots);
    if (i.op == Opcode::square || i.op == Opcode::multiply)
      keys.relinearisation_level = std::max(keys.relinearisation_level, i.level);
  }
  return keys;
}

}  // namespace sinter::encrypted
