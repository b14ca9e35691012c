// SPDX-License-Identifier: Apache-2.0
// sinter decrypt: the client's last step, a result becomes numbers and a class.
//
// A ciphertext of another key decrypts to noise, which nothing in the file reveals. The slots do:
// they carry real numbers, so the imaginary parts of a proper result are noise far below its real
// parts or its scale, while under a wrong key real and imaginary parts are alike and huge.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/secret_key.h"
#include "cli/classes.h"
#include "cli/files.h"
#include "cli/npy.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "encrypted/client.h"

namespace sinter::cli {
namespace {

/// The result against what the program has room for; "" when it fits.
std::string range_warning(const encrypted::EncryptedProgram& program, const Tensor& result) {
  double largest = 0;
  for (float v : result.data<float>()) largest = std::max(largest, double(std::fabs(v)));
  if (program.output_limit <= 0 || largest <= program.output_limit) return "";
  return fmt::format(
      "The largest value, {:.4g}, is beyond the {:.4g} that the calibration data and the margin "
      "leave room for: the result may have wrapped around. Compile again with data that covers "
      "this input.",
      largest, program.output_limit);
}

constexpr i64 kMaxClasses = 1000;
/// Source: Li and Micciancio 2021, IND-CPA-D; docs/security.md.
constexpr std::string_view kWarning =
    "Keep these numbers to yourself: published with the ciphertext they help to find the key "
    "(docs/security.md).";

struct Options {
  std::string program, key, input, output, labels;
  bool json = false;
};

/// The real parts; refuses slots that hold noise.
std::vector<double> real_slots(const ckks::Context& context, const ckks::Plaintext& plaintext,
                               const std::string& name) {
  const std::vector<std::complex<double>> slots = ckks::decode_complex(context, plaintext);
  double real = 0, imaginary = 0;
  std::vector<double> values;
  values.reserve(slots.size());
  for (const std::complex<double>& v : slots) {
    real += v.real() * v.real();
    imaginary += v.imag() * v.imag();
    values.push_back(v.real());
  }
  const double n = double(slots.size());
  // 2^-6 of the message, or of one when the message is zero: a usable result has far less noise.
  const double limit = 0x1p-6 * std::max(1.0, std::sqrt(real / n));
  require(std::sqrt(imaginary / n) < limit, ErrorKind::bad_argument, name,
          ": decrypts to noise: this key, or the keys of the server, are not the ones of this "
          "ciphertext; or the parameters leave too little precision, or the input was far outside "
          "the range of the calibration data");
  return values;
}

void check_result(const encrypted::EncryptedProgram& program, const ckks::Ciphertext& ciphertext,
                  const std::string& name) {
  const u64 made_for = ciphertext.origin().program;
  require(made_for == 0 || made_for == program.hash, ErrorKind::bad_argument, name,
          ": is a ciphertext of program ", std::hex, made_for, ", this is program ", program.hash);
  const double scale = program.instructions.back().scale;
  require(ciphertext.level() == program.output_level() &&
              std::abs(ciphertext.scale() / scale - 1) < 1e-6,
          ErrorKind::bad_argument, name, ": expected a result of this program: level ",
          program.output_level(), ", scale 2^", std::log2(scale), "; found level ",
          ciphertext.level(), ", scale 2^", std::log2(ciphertext.scale()));
}

void run_decrypt(const Options& o) {
  const Timer timer;
  if (!o.output.empty()) require_output(o.output, {o.program, o.key, o.input, o.labels});
  const LoadedProgram loaded = read_program(o.program);
  const encrypted::EncryptedProgram& program = *loaded.program;
  const ckks::Context& context = *loaded.context;
  const ClassNames names = o.labels.empty() ? ClassNames() : ClassNames::read(o.labels);
  const auto key_file = MappedFile::open(o.key);
  const ckks::SecretKey secret = ckks::load_secret_key(context, key_file->bytes(), o.key);
  const ckks::Ciphertext ciphertext = read_ciphertext(context, o.input);
  check_result(program, ciphertext, o.input);
  const std::vector<double> slots =
      real_slots(context, ckks::decrypt(context, secret, ciphertext), o.input);
  const Tensor result = encrypted::unpack_output(program, slots);
  if (!o.output.empty()) write_npy(o.output, result);
  warn_if_insecure(context.params());
  const std::string beyond = range_warning(program, result);
  if (!beyond.empty()) fmt::print(stderr, "sinter: warning: {}\n", beyond);

  const bool scores =
      result.dtype() == DType::f32 && result.size() > 1 && result.size() <= kMaxClasses;
  if (o.json) {
    nlohmann::ordered_json json = {
        {"input", o.input},         {"name", program.output_name},
        {"shape", result.dims()},   {"security", context.params().security_text()},
        {"warning", kWarning},      {"range_warning", beyond},
        {"seconds", timer.wall_s()}};
    if (scores) json["result"] = scores_json(result.data<float>(), names);
    return print(json.dump(2) + "\n");
  }
  std::string text =
      fmt::format("{}: {} {}\n", program.output_name, name(result.dtype()), to_text(result.dims()));
  if (scores) {
    text += scores_text(result.data<float>(), names);
    text += "\n";
  }
  if (!o.output.empty()) text += fmt::format("written to {}\n", o.output);
  print(text + std::string(kWarning) + "\n");
}

}  // namespace

void add_decrypt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("decrypt", "decrypt a result (client)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("input", o->input, "ciphertext made by `sinter infer`")->required();
  command->add_option("--key", o->key, "secret key of the client")->required();
  command->add_option("-o,--output", o->output, "write the result here as .npy");
  command->add_option("--labels", o->labels, "text file with one class name a line");
  add_json(*command, o->json);
  command->footer("Example:\n  sinter decrypt net.sinter --key client.key output.ct -o logits.npy");
  command->callback([=] { run_decrypt(*o); });
}

}  // namespace sinter::cli
