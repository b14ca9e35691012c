// SPDX-License-Identifier: Apache-2.0
// scheme.yaml: how a network is compiled for encrypted inference. Three sections, every key
// optional:
//
//   ckks:     log_n, log_q0, log_scale, log_q, log_p, secret (ternary | {hamming: h}),
//             security (128 | none_for_tests)
//   input:    scale, offset                  value = pixel * scale + offset
//   compile:  margin, pay_for_affine
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
  InputScaling input;
  double margin = 2;
  bool pay_for_affine = false;
};

/// throws  Error(io) when the file cannot be read; Error(bad_argument) "<file>:<line>: ..." when it
///         says something that is not allowed
Config read_config(const std::filesystem::path& path);

/// The scaling rule inside a program's metadata, and out of it again.
void store_scaling(const InputScaling& scaling, std::map<std::string, std::string>& metadata);
InputScaling load_scaling(const std::map<std::string, std::string>& metadata);

}  // namespace sinter::cli
