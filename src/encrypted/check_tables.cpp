// SPDX-License-Identifier: Apache-2.0
// Layers, vectors, maps and bootstraps of a program, each for itself, and that each is used.
#include <algorithm>
#include <cmath>

#include "encrypted/detail/check_program.h"

namespace sinter::encrypted::detail {
namespace {

constexpr i64 kMaxBootstraps = 64;  ///< different ones in a program

bool is_sound(const SlotVector& v, i64 slots) {
  return is_power_of_two(v.period) && v.period <= slots && v.is_sound();
}

/// Diagonals in ascending order that share period and patterns.
bool is_sound(const LinearMap& m, i64 slots) {
  if (!is_power_of_two(m.in_period) || !is_power_of_two(m.out_period) || m.period() > slots ||
      m.baby_count < 1 || m.baby_count > slots || m.indices.empty() ||
      m.indices.size() != m.rows.size())
    return false;
  for (size_t d = 0; d < m.indices.size(); ++d)
    if (m.indices[d] < (d == 0 ? 0 : m.indices[d - 1] + 1) ||
        m.indices[d] >= std::min(m.in_period, m.out_period) || m.rows[d].period != m.period() ||
        m.rows[d].patterns != m.rows[0].patterns || !is_sound(m.rows[d], slots))
      return false;
  return true;
}

void check_layers(const EncryptedProgram& p) {
  for (const Layer& layer : p.layers)
    require(std::isfinite(layer.range) && layer.range >= 0 && std::isfinite(layer.error),
            ErrorKind::bad_input, "program: layer \"", layer.name, "\" has the range ", layer.range,
            " and the error ", layer.error);
}

/// Options that can be planned, in the one form that has everything filled in.
void check_bootstraps(const EncryptedProgram& p) {
  require(std::ssize(p.bootstraps) <= kMaxBootstraps, ErrorKind::bad_input,
          "program: expected at most ", kMaxBootstraps, " bootstraps, found ", p.bootstraps.size());
  for (size_t k = 0; k < p.bootstraps.size(); ++k) {
    const ckks::BootstrapOptions& o = p.bootstraps[k];
    bool is_filled = false;
    try {
      is_filled = ckks::outline_bootstrap(p.params, o).options == o;
    } catch (const Error& error) {
      fail(ErrorKind::bad_input, "program: bootstrap ", k, ": ", error.what());
    }
    require(is_filled, ErrorKind::bad_input, "program: bootstrap ", k,
            " leaves slots, levels or scale open");
    require(std::count(p.bootstraps.begin(), p.bootstraps.end(), o) == 1, ErrorKind::bad_input,
            "program: bootstrap ", k, " is there twice");
  }
}

}  // namespace

void check_tables(const EncryptedProgram& p) {
  check_layers(p);
  const auto expect = [](bool ok, std::string_view what, size_t k) {
    require(ok, ErrorKind::bad_input, "program: ", what, " ", k, " is malformed");
  };
  for (size_t k = 0; k < p.vectors.size(); ++k)
    expect(is_sound(p.vectors[k], p.slots()), "vector", k);
  for (size_t k = 0; k < p.maps.size(); ++k) expect(is_sound(p.maps[k], p.slots()), "map", k);
  check_bootstraps(p);
}

void check_used(const EncryptedProgram& p) {
  std::vector<i32> maps(p.maps.size(), 0), vectors(p.vectors.size(), 0),
      bootstraps(p.bootstraps.size(), 0);
  for (const Instruction& i : p.instructions) {
    if (i.op == Opcode::linear) ++maps[size_t(i.table)];
    if (i.op == Opcode::add_vector) ++vectors[size_t(i.table)];
    if (i.op == Opcode::bootstrap) ++bootstraps[size_t(i.table)];
  }
  for (size_t k = 0; k < bootstraps.size(); ++k)
    require(bootstraps[k] > 0, ErrorKind::bad_input, "program: bootstrap ", k, " is not used");
  for (const auto* uses : {&maps, &vectors})
    for (size_t k = 0; k < uses->size(); ++k)
      require((*uses)[k] == 1, ErrorKind::bad_input,
              "program: ", uses == &maps ? "map " : "vector ", k, " is used ", (*uses)[k],
              " times, expected once");
}

}  // namespace sinter::encrypted::detail
