// SPDX-License-Identifier: Apache-2.0
// The compiled form of an encrypted network: parameters, packing of input and output, and ONE list
// of instructions on ciphertexts, each with the level and scale that its result has. Three
// interpreters read it (simulate on doubles, cost, execute on ciphertexts); check recomputes
// levels, scales, periods and rotation keys from nothing but the list.
//
// Contents of a ciphertext. A value has a period p (a power of two dividing the slot count): slot s
// holds what slot s mod p holds. A linear map from period P to period B takes the matrix M with
// rows and columns in slots and evaluates, with K = max(P, B) and m = min(P, B),
//
//   y[j] = sum over i in [0, m) of d_i[j mod K] * x[j + i]        M[j mod B][(j + i) mod P] -> d_i
//
// For B >= P this is M x, of period B. For B < P each of the P/B copies of a row holds a part of
// its sum, and log2(P/B) folds y += rot(y, P/2), ..., y += rot(y, B) complete them in every slot:
// after the folds no slot holds a partial sum, so nothing but the result leaves the program.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ckks/keys.h"
#include "ckks/linear.h"
#include "graph/tensor.h"

namespace sinter::encrypted {

/// `length` equal values from slot `start` on; what lies between runs is zero.
struct Run {
  u32 start, length;
  double value;
  bool operator==(const Run&) const = default;
};

/// A vector of `period` slots as ascending runs.
struct SlotVector {
  i64 period = 0;
  std::vector<Run> runs;
  /// Writes all `period` values; out.size() == period.
  void expand(std::span<double> out) const;
  bool operator==(const SlotVector&) const = default;
};

/// One linear map by diagonals. Immutable.
struct LinearMap {
  i64 in_period = 0, out_period = 0;
  i64 baby_count = 0;            ///< n1 of the plan
  std::vector<i64> indices;      ///< ascending, in [0, min(in_period, out_period))
  std::vector<SlotVector> rows;  ///< diagonal of each index; period max(in_period, out_period)

  i64 period() const { return std::max(in_period, out_period); }
  ckks::LinearPlan plan(i64 slots) const;
  bool operator==(const LinearMap&) const = default;
};

/// Value k is the result of instruction k. Numbers are stable: they are in files.
enum class Opcode : u8 {
  input = 0,       ///< the ciphertext given, encrypted at `level` with `scale`
  drop = 1,        ///< a, without its upper primes
  linear = 2,      ///< linear map `table` of a, encoded at `plain_scale`; not rescaled
  rescale = 3,     ///< a divided by the last prime
  fold = 4,        ///< a + rot(a, steps)
  add = 5,         ///< a + b
  add_vector = 6,  ///< a + vector `table`, encoded at a's scale
  square = 7,      ///< a * a, relinearised; not rescaled
  multiply = 8,    ///< a * b, relinearised; not rescaled
};
inline constexpr int kOpcodeCount = 9;
std::string_view name(Opcode op);

struct Instruction {
  Opcode op = Opcode::input;
  i32 layer = -1;          ///< row of EncryptedProgram::layers this belongs to
  i32 a = -1, b = -1;      ///< operands: earlier instructions
  i32 table = -1;          ///< index into `maps` (linear) or `vectors` (add_vector)
  i64 steps = 0;           ///< fold
  double plain_scale = 0;  ///< linear
  int level = 0;           ///< of the result
  double scale = 0;        ///< of the result
  i64 period = 0;          ///< of the result
  bool operator==(const Instruction&) const = default;
};

/// What a layer is, for reports. Nothing is computed from it.
struct Layer {
  std::string name;  ///< the graph nodes it stands for, e.g. "conv1 + shortcut"
  std::string op;    ///< "Linear", "Square", "Product"
  double range = 0;  ///< largest |value| of its result on the calibration data, margin not applied
  bool operator==(const Layer&) const = default;
};

/// Immutable once compiled or loaded; share as shared_ptr<const EncryptedProgram>.
/// thread: safe to share
struct EncryptedProgram {
  explicit EncryptedProgram(ckks::CkksParams checked) : params(std::move(checked)) {}

  ckks::CkksParams params;
  ckks::KeyManifest keys;  ///< what the computing side needs
  std::vector<Layer> layers;
  std::vector<Instruction> instructions;  ///< the last one is the output
  std::vector<LinearMap> maps;
  std::vector<SlotVector> vectors;

  std::string input_name, output_name;
  Dims input_dims, output_dims;
  /// Slot s of the input holds element input_elements[s mod its size], or 0 where that is -1.
  std::vector<i32> input_elements;
  /// Element e of the output is in slot output_slots[e].
  std::vector<i32> output_slots;
  /// Largest |element| of the input and of the result that the plan has room for: ranges seen in
  /// calibration times the margin. Beyond it values may wrap around the modulus.
  double input_limit = 0, output_limit = 0;
  /// Free text of the maker: preprocessing of the input, labels. Part of the hash.
  std::map<std::string, std::string> metadata;
  /// Identity of everything above; set by compile and load.
  u64 hash = 0;

  i64 slots() const { return params.slots(); }
  int input_level() const { return instructions.front().level; }
  double input_scale() const { return instructions.front().scale; }
  int output_level() const { return instructions.back().level; }
  /// Predicted standard deviation of the scheme's noise in an element of the result, from the
  /// metadata; 0 in programs compiled before it was recorded. throws Error(bad_input) when it is
  /// no positive number
  double output_error() const;
  /// Bits of the largest result of the calibration data (margin not applied) above output_error,
  /// ckks::precision_estimate; 0 when either is not known.
  double output_bits() const;
};

/// The key of output_error in the metadata.
inline constexpr const char* kOutputError = "output.error";

/// last_use[k] = the last instruction that reads value k (its own number when none does).
std::vector<i32> last_uses(const EncryptedProgram& program);

}  // namespace sinter::encrypted
