// SPDX-License-Identifier: Apache-2.0
// How values go from layer to layer, read off the instruction list: for diagrams of levels. The
// edges are those between layers; a join is an addition or a product of two values, whose levels
// check() requires to be equal. They are written down here from the instructions' own levels, so a
// report shows them and does not merely claim them.
#pragma once
#include <vector>

#include "encrypted/program.h"

namespace sinter::encrypted {

/// Layer `to` reads the value of layer `from`, which has level_from, at level_to: a lower one when
/// primes are dropped on the way.
struct FlowEdge {
  i32 from = 0, to = 0;
  int level_from = 0, level_to = 0;
  bool is_main = false;  ///< part of the longest chain of layers from an input to the output
  bool operator==(const FlowEdge&) const = default;
};

/// An addition or product of two different values.
struct FlowJoin {
  i32 instruction = 0;
  std::vector<i32> layers_a, layers_b;  ///< whose values each arm carries, ascending
  int level_a = 0, level_b = 0;
  double scale_a = 0, scale_b = 0;
};

struct Flow {
  std::vector<FlowEdge> edges;  ///< by `to`, then `from`; each pair once, at its lowest level_to
  std::vector<FlowJoin> joins;  ///< in program order
  std::vector<i32> main_path;   ///< layers, first to last
};

/// program  one that check() accepts
/// cost     linear in the instructions, times the layers that one layer reads
Flow flow_of(const EncryptedProgram& program);

/// Bytes of switching keys that an instruction reads: of each key the digits and primes that its
/// level needs, both halves. Of a bootstrap those of each of its key switches, the products of its
/// sine at one level in between.
i64 key_bytes_read(const EncryptedProgram& program, i64 instruction);

}  // namespace sinter::encrypted
