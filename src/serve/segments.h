// SPDX-License-Identifier: Apache-2.0
// A program cut into segments, the units that a coordinator hands out: a segment begins with a
// linear map (or a sum or product of values of several segments) and goes on with everything that
// needs nothing but its own values, so that cheap instructions run where their data is. A drop of
// upper primes belongs to no segment: whoever reads it makes it from its operand.
#pragma once
#include <vector>

#include "encrypted/program.h"
#include "serve/map_cut.h"

namespace sinter::serve {

struct Segment {
  std::vector<i32> instructions;  ///< in the order of the program
  std::vector<i32> operands;      ///< values of other segments or inputs, ascending, drops followed
  std::vector<i32> exports;       ///< own values that others read, and the output; ascending
  std::vector<i32> readers;       ///< segments that read an export
  i64 needs = 0;                  ///< segments that it reads
  bool is_map = false;            ///< begins with a linear map
  MapOutline map;                 ///< of that map
  double map_seconds = 0;         ///< predicted for it, one thread
  double seconds = 0;             ///< for all of it
  double to_end = 0;              ///< along the longest path from its beginning to the output
};

struct Segments {
  std::vector<Segment> all;     ///< a segment reads earlier ones only
  std::vector<i32> of;          ///< of each instruction; -1 for inputs and drops
  std::vector<i64> read_count;  ///< of each value: segments that read it
  double seconds = 0;           ///< of the program
};

/// thread: safe; a function of the program alone, so that everyone has the same numbers
Segments cut(const encrypted::EncryptedProgram& program);

/// The value that instruction v is a drop of, through several drops; v itself when it is none.
i32 source_of_drops(const encrypted::EncryptedProgram& program, i32 v);

}  // namespace sinter::serve
