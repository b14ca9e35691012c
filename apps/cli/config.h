// SPDX-License-Identifier: Apache-2.0
// scheme.yaml: how a network is compiled for encrypted inference. Three sections, every key
// optional:
//
//   ckks:     each left out, or auto where the compiler shall choose it: log_n, log_q0, log_scale,
//   log_q, log_p, secret (ternary | {hamming: h}),
//             security (128 | none_for_tests)
//   input:    scale, offset                  value = pixel * scale + offset
//   compile:  margin, pay_for_affine, bootstrap (none | auto | fast | precise),
//             packing (packed | separate), batch (1, 2, 4, ... | auto)
//
// docs/cli.md says what each means. An unknown or repeated key, or a value of another kind, is an
// error with file, line and what is allowed.
#pragma once
#include <filesystem>

#include "cli/tensor_io.h"
#include "encrypted/compile.h"

namespace sinter::cli {

struct Config {
  encrypted::SchemeOptions scheme;
  /// Keys left out or `auto`: the compiler chooses them.
  encrypted::OpenKeys open = {true, true, true, true, true};
  InputScaling input;
  double margin = 2;
  bool pay_for_affine = false;
  encrypted::BootstrapChoice bootstrap = encrypted::BootstrapChoice::automatic;
  encrypted::PackingOptions packing;
};

/// "packed" or "separate", and "auto" or a power of two, as the configuration and the command line
/// say them. out  whether `text` is one of them
bool parse_packing(const std::string& text, encrypted::PackingOptions& packing);
bool parse_batch(const std::string& text, encrypted::PackingOptions& packing);

/// throws  Error(io) when the file cannot be read; Error(bad_argument) "<file>:<line>: ..." when it
///         says something that is not allowed
Config read_config(const std::filesystem::path& path);

/// throws  Error(bad_argument) naming the four words
encrypted::BootstrapChoice bootstrap_choice(const std::string& word);

/// The scaling rule inside a program's metadata, and out of it again.
void store_scaling(const InputScaling& scaling, std::map<std::string, std::string>& metadata);
InputScaling load_scaling(const std::map<std::string, std::string>& metadata);

}  // namespace sinter::cli
