// SPDX-License-Identifier: Apache-2.0
#include "encrypted/check.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "encrypted/bootstrap_chain.h"

namespace sinter::encrypted {
namespace {

constexpr double kTolerance = 1e-9;
constexpr i64 kMaxBootstraps = 64;  ///< different ones in a program

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
    for (const Layer& layer : p_.layers)
      require(std::isfinite(layer.range) && layer.range >= 0 && std::isfinite(layer.error),
              ErrorKind::bad_input, "program: layer \"", layer.name, "\" has the range ",
              layer.range, " and the error ", layer.error);
    check_tables();
    check_bootstraps();
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
      case Opcode::input: {
        expect(i.table == index_ && index_ < p_.input_count(), "expected input ", index_, " of ",
               p_.input_count(), ", before everything else, found input ", i.table);
        expect(is_power_of_two(i.period) && i.period <= p_.slots(), "period ", i.period,
               " is not a power of two up to ", p_.slots());
        return {i.level, p_.params.scale(), i.period, i.period};
      }
      case Opcode::drop: {
        State s = operand(i.a);
        expect(i.level >= 0 && i.level <= s.level, "cannot drop from level ", s.level, " to ",
               i.level);
        s.level = i.level;
        if (i.steps == 0) return s;
        expect(!s.is_partial() && is_power_of_two(i.steps) && i.steps < s.period,
               "a sum to period ", i.steps, " of a value of period ", s.period);
        s.wanted = i.steps;
        return s;
      }
      case Opcode::linear: {
        State s = complete(i.a);
        expect(i.table >= 0 && i.table < std::ssize(p_.maps), "map ", i.table, " does not exist");
        const LinearMap& m = p_.maps[size_t(i.table)];
        expect(m.in_period % s.period == 0, "the map expects period ", m.in_period, ", found ",
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
        State s = complete(i.a);
        expect(i.table >= 0 && i.table < std::ssize(p_.vectors), "vector ", i.table,
               " does not exist");
        const i64 period = p_.vectors[size_t(i.table)].period;
        expect(period % s.period == 0, "the vector has period ", period, ", the value ", s.period);
        s.period = s.wanted = period;
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
      case Opcode::bootstrap:
        return bootstrapped(i);
    }
    fail(ErrorKind::bad_input, "program: instruction ", index_, ": unknown operation");
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

  static bool is_sound(const SlotVector& v, i64 slots) {
    return is_power_of_two(v.period) && v.period <= slots && v.is_sound();
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
             m.rows[d].patterns == m.rows[0].patterns && is_sound(m.rows[d], p_.slots());
      expect_table(ok, "map", k);
    }
  }

  /// Options that can be planned, in the one form that has everything filled in.
  void check_bootstraps() const {
    require(std::ssize(p_.bootstraps) <= kMaxBootstraps, ErrorKind::bad_input,
            "program: expected at most ", kMaxBootstraps, " bootstraps, found ",
            p_.bootstraps.size());
    for (size_t k = 0; k < p_.bootstraps.size(); ++k) {
      const ckks::BootstrapOptions& o = p_.bootstraps[k];
      bool is_filled = false;
      try {
        is_filled = ckks::outline_bootstrap(p_.params, o).options == o;
      } catch (const Error& error) {
        fail(ErrorKind::bad_input, "program: bootstrap ", k, ": ", error.what());
      }
      require(is_filled, ErrorKind::bad_input, "program: bootstrap ", k,
              " leaves slots, levels or scale open");
      require(std::count(p_.bootstraps.begin(), p_.bootstraps.end(), o) == 1, ErrorKind::bad_input,
              "program: bootstrap ", k, " is there twice");
    }
  }

  /// Every map and vector belongs to exactly one instruction.
  void check_used_once() const {
    for (size_t k = 0; k < p_.bootstraps.size(); ++k)
      require(std::any_of(p_.instructions.begin(), p_.instructions.end(),
                          [k](const Instruction& i) {
                            return i.op == Opcode::bootstrap && i.table == i32(k);
                          }),
              ErrorKind::bad_input, "program: bootstrap ", k, " is not used");
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
    require(p_.input_count() >= 1 && p_.input_count() <= std::ssize(states_), ErrorKind::bad_input,
            "program: ", p_.input_count(), " inputs");
    require(is_power_of_two(p_.batch) && p_.batch <= p_.slots(), ErrorKind::bad_input,
            "program: a batch of ", p_.batch, " images");
    require(p_.input_limit >= 0 && p_.output_limit >= 0, ErrorKind::bad_input,
            "program: expected limits of input and output of at least 0, found ", p_.input_limit,
            " and ", p_.output_limit);
    const i64 elements = p_.batch * count(p_.input_dims);
    for (i64 k = 0; k < p_.input_count(); ++k) {
      const std::vector<i32>& map = p_.input_elements[size_t(k)];
      const i64 period = states_[size_t(k)].period;
      require(p_.instructions[size_t(k)].op == Opcode::input, ErrorKind::bad_input,
              "program: instruction ", k, " is not input ", k);
      require(std::ssize(map) == period, ErrorKind::bad_input, "program: the input map ", k,
              " has ", map.size(), " slots, its value ", period);
      for (i32 e : map)
        require(e >= -1 && e < elements, ErrorKind::bad_input, "program: input element ", e,
                " is outside -1 to ", elements - 1);
    }
    const State& last = states_.back();
    require(!last.is_partial(), ErrorKind::bad_input,
            "program: the output holds partial sums, which would leak intermediate values");
    require(std::ssize(p_.output_slots) == p_.batch * count(p_.output_dims), ErrorKind::bad_input,
            "program: the output map has ", p_.output_slots.size(), " elements, ", p_.batch,
            " results of dims ", to_text(p_.output_dims));
    for (i32 s : p_.output_slots)
      require(s >= 0 && s < last.period, ErrorKind::bad_input, "program: output slot ", s,
              " is outside 0 to ", last.period - 1);
    require(p_.params.options().security == ckks::Security::none_for_tests ||
                p_.params.log2_qp() <= p_.params.log2_qp_limit(),
            ErrorKind::bad_input, "program: ", p_.params.security_text());
    require(p_.bootstraps.empty() || bits_over_encapsulation_limit(p_.params) <= 0,
            ErrorKind::bad_input, "program: the key of the ephemeral sparse secret has ",
            bits_over_encapsulation_limit(p_.params), " bits too many");
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
  for (const ckks::BootstrapOptions& options : program.bootstraps)  // each is used
    keys.merge(ckks::outline_bootstrap(program.params, options).manifest);
  return keys;
}

}  // namespace sinter::encrypted
