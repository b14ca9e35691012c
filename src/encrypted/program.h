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

#include "ckks/bootstrap.h"
#include "ckks/keys.h"
#include "ckks/linear.h"
#include "encrypted/slot_vector.h"
#include "graph/tensor.h"

namespace sinter::encrypted {

/// One linear map by diagonals. Immutable.
struct LinearMap {
  i64 in_period = 0, out_period = 0;
  i64 baby_count = 0;  ///< n1 of the plan
  ckks::GiantForm form = ckks::GiantForm::separate;
  std::vector<i64> indices;  ///< ascending, in [0, min(in_period, out_period))
  /// Diagonal of each index; period max(in_period, out_period). All share their patterns.
  std::vector<SlotVector> rows;

  i64 period() const { return std::max(in_period, out_period); }
  ckks::LinearPlan plan(i64 slots) const;
  bool operator==(const LinearMap&) const = default;
};

/// Value k is the result of instruction k. Numbers are stable: they are in files.
enum class Opcode : u8 {
  input = 0,       ///< ciphertext `table` of those given, encrypted at `level` with `scale`
  drop = 1,        ///< a, without its upper primes; with `steps`, as terms that the folds behind it
                   ///< add up until the period is `steps`
  linear = 2,      ///< linear map `table` of a, encoded at `plain_scale`; not rescaled
  rescale = 3,     ///< a divided by the last prime
  fold = 4,        ///< a + rot(a, steps)
  add = 5,         ///< a + b
  add_vector = 6,  ///< a + vector `table`, encoded at a's scale
  square = 7,      ///< a * a, relinearised; not rescaled
  multiply = 8,    ///< a * b, relinearised; not rescaled
  bootstrap = 9,   ///< a, |values| <= 1, at the level and scale of bootstraps[table]
};
inline constexpr int kOpcodeCount = 10;
std::string_view name(Opcode op);

struct Instruction {
  Opcode op = Opcode::input;
  i32 layer = -1;      ///< row of EncryptedProgram::layers this belongs to
  i32 a = -1, b = -1;  ///< operands: earlier instructions
  i32 table = -1;      ///< number of the input, index into `maps` (linear), `vectors` (add_vector)
                       ///< or `bootstraps`
  i64 steps = 0;       ///< fold; drop: period of the sum, or 0
  double plain_scale = 0;  ///< linear
  int level = 0;           ///< of the result
  double scale = 0;        ///< of the result
  i64 period = 0;          ///< of the result
  bool operator==(const Instruction&) const = default;
};

/// What a layer is, for reports. Nothing is computed from it; check looks at the range in front of
/// a bootstrap.
struct Layer {
  std::string name;  ///< the graph nodes it stands for, e.g. "conv1 + shortcut"
  std::string op;    ///< operator of the graph, "Square", "Product", "Bootstrap"
  double range = 0;  ///< largest |value| of its result on the calibration data, margin not applied
  /// Predicted root mean square of the scheme's noise in a slot of its result; 0: not known.
  double error = 0;
  bool operator==(const Layer&) const = default;
};

/// Immutable once compiled or loaded; share as shared_ptr<const EncryptedProgram>.
/// thread: safe to share
struct EncryptedProgram {
  explicit EncryptedProgram(ckks::CkksParams checked) : params(std::move(checked)) {}

  ckks::CkksParams params;
  ckks::KeyManifest keys;  ///< what the computing side needs
  std::vector<Layer> layers;
  /// The inputs come first, number k is instruction k; the last instruction is the output.
  std::vector<Instruction> instructions;
  std::vector<LinearMap> maps;
  std::vector<SlotVector> vectors;
  /// Different ones, with slots, target_level, output_scale and raise_level filled in;
  /// memory_budget is not part of a program and stays as it is by default.
  std::vector<ckks::BootstrapOptions> bootstraps;

  std::string input_name, output_name;
  Dims input_dims, output_dims;  ///< of one image
  /// Images that one run takes: they share the ciphertexts. With e elements an image, element k of
  /// image i is number i * e + k, in the input and in the output.
  i64 batch = 1;
  /// One map per input ciphertext: slot s of input k holds element input_elements[k][s mod its
  /// size], or 0 where that is -1.
  std::vector<std::vector<i32>> input_elements;
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
  i64 input_count() const { return std::ssize(input_elements); }
  int input_level(i64 input = 0) const { return instructions[size_t(input)].level; }
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
