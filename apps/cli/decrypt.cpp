// SPDX-License-Identifier: Apache-2.0
// sinter decrypt: the client's last step, results become numbers and classes.
//
// A ciphertext of another key decrypts to noise, which nothing in the file reveals. The slots do:
// they carry real numbers, so the imaginary parts of a proper result are noise far below its real
// parts or its scale, while under a wrong key real and imaginary parts are alike and huge.
//
// With --publish the elements of the result, and nothing else, are flooded before they are shown or
// written; what the noise may be is known from the program, never from this decryption.
#include <fmt/format.h>

#include <algorithm>
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

/// Flooding hides errors up to this many predicted standard deviations: a normal error exceeds them
/// with probability below 2^-49.
constexpr double kErrorDeviations = 8;
/// What the imaginary parts, whose deviation is at most the predicted one, may measure. Looser than
/// the spread of a mean over thousands of slots, far tighter than kErrorDeviations.
constexpr double kGuard = 1.5;

struct Options {
  std::string program, key, input, output, labels;
  double publish = 0;
  bool json = false;
};

struct Slots {
  std::vector<double> real;
  double imaginary = 0;  ///< root mean square of the imaginary parts, which are noise
};

/// The real parts; refuses slots that hold noise.
Slots real_slots(const ckks::Context& context, const ckks::Plaintext& plaintext,
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
  return {std::move(values), std::sqrt(imaginary / n)};
}

/// Floods the slots of the result's elements.
ckks::Flooding publish(const encrypted::EncryptedProgram& program, Slots& slots, double bits) {
  const double error = program.output_error();
  require(error > 0, ErrorKind::bad_argument,
          "decrypt: --publish: the program does not say how large its noise is; compile it again");
  // How noisy it is depends on the key and is not flooded: the message does not say it.
  require(slots.imaginary <= kGuard * error, ErrorKind::bad_argument,
          "decrypt: --publish: the result is noisier than the program predicts: it is not "
          "published");
  std::vector<double> values;
  for (i32 s : program.output_slots) values.push_back(slots.real[size_t(s)]);
  ring::SecretRng rng;
  const ckks::Flooding flooding = ckks::flood(values, kErrorDeviations * error, bits, rng);
  for (size_t e = 0; e < values.size(); ++e)
    slots.real[size_t(program.output_slots[e])] = values[e];
  return flooding;
}

std::string published_text(const Options& o, const ckks::Flooding& flooding) {
  return fmt::format(
      "Flooded for publication: {:g} bits for this one result, noise of deviation {:.2g} in every "
      "element (docs/security.md).",
      o.publish, flooding.deviation);
}

void check_result(const encrypted::EncryptedProgram& program, const ckks::Ciphertext& ciphertext,
                  const std::string& name) {
  const double scale = program.instructions.back().scale;
  require(ciphertext.level() == program.output_level() &&
              std::abs(ciphertext.scale() / scale - 1) < 1e-6,
          ErrorKind::bad_argument, name, ": expected a result of this program: level ",
          program.output_level(), ", scale 2^", std::log2(scale), "; found level ",
          ciphertext.level(), ", scale 2^", std::log2(ciphertext.scale()));
}

/// What a file of results says, image by image.
struct Results {
  std::vector<Tensor> images;  ///< program.output_dims each
  ckks::Flooding flooding;     ///< of the last run; the others' is alike
};

Results decrypt_results(const LoadedProgram& loaded, const ckks::SecretKey& secret,
                        const Options& o) {
  const encrypted::EncryptedProgram& program = *loaded.program;
  const CiphertextFile input = read_ciphertexts(loaded, o.input, 1);
  Results results;
  for (i64 r = 0; r < input.bundle.runs(); ++r) {
    const ckks::Ciphertext ciphertext = std::move(input.bundle.run(r)[0]);
    check_result(program, ciphertext, o.input);
    Slots slots =
        real_slots(*loaded.context, ckks::decrypt(*loaded.context, secret, ciphertext), o.input);
    if (o.publish > 0) results.flooding = publish(program, slots, o.publish);
    const i64 count = images_of_run(program, input.bundle.images(), r);
    for (i64 image = 0; image < count; ++image)
      results.images.push_back(encrypted::unpack_output(program, slots.real, image));
  }
  return results;
}

/// One tensor of all: the dims of one, with the images along the first dimension.
Tensor stacked(const std::vector<Tensor>& images) {
  if (images.size() == 1) return images[0].clone();
  Dims dims = images[0].dims();
  if (dims.empty() || dims[0] != 1) dims.insert(dims.begin(), 1);
  dims[0] = std::ssize(images);
  Tensor all(DType::f32, std::move(dims));
  auto to = all.mutable_data<float>().begin();
  for (const Tensor& image : images) to = std::ranges::copy(image.data<float>(), to).out;
  return all;
}

/// Class and score of every image as a table; of a single one the best classes.
std::string classes_text(const std::vector<Tensor>& images, const ClassNames& names) {
  if (images.size() == 1) return scores_text(images[0].data<float>(), names) + "\n";
  Table table({"image", "class", "<name", "score"});
  for (size_t i = 0; i < images.size(); ++i) {
    const auto scores = images[i].data<float>();
    const i64 top = best(scores, 1)[0];
    table.add({std::to_string(i), std::to_string(top), names[top],
               fmt::format("{:.6f}", scores[size_t(top)])});
  }
  return table.text() + "\n";
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
  const Results results = decrypt_results(loaded, secret, o);
  const std::string warning =
      o.publish > 0 ? published_text(o, results.flooding) : std::string(kWarning);
  const Tensor all = stacked(results.images);
  if (!o.output.empty()) write_npy(o.output, all);
  warn_if_insecure(context.params());
  const std::string beyond = range_warning(program, all);
  if (!beyond.empty()) fmt::print(stderr, "sinter: warning: {}\n", beyond);

  const i64 size = results.images[0].size();
  const bool scores = size > 1 && size <= kMaxClasses;
  if (o.json) {
    nlohmann::ordered_json json = {
        {"input", o.input},         {"name", program.output_name},
        {"shape", all.dims()},      {"security", context.params().security_text()},
        {"warning", warning},       {"range_warning", beyond},
        {"seconds", timer.wall_s()}};
    if (o.publish > 0)
      json["publish"] = {{"bits", o.publish},
                         {"deviation", results.flooding.deviation},
                         {"step", results.flooding.step}};
    if (scores) json["result"] = scores_json(results.images[0].data<float>(), names);
    if (scores && results.images.size() > 1)
      for (const Tensor& image : results.images)
        json["results"].push_back(scores_json(image.data<float>(), names));
    return print(json.dump(2) + "\n");
  }
  std::string text =
      fmt::format("{}: {} {}\n", program.output_name, name(all.dtype()), to_text(all.dims()));
  if (scores) text += classes_text(results.images, names);
  if (!o.output.empty()) text += fmt::format("written to {}\n", o.output);
  print(text + warning + "\n");
}

}  // namespace

void add_decrypt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("decrypt", "decrypt results (client)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("input", o->input, "ciphertexts made by `sinter infer`")->required();
  command->add_option("--key", o->key, "secret key of the client")->required();
  command->add_option("-o,--output", o->output, "write the result here as .npy");
  command->add_option("--labels", o->labels, "text file with one class name a line");
  command
      ->add_option("--publish", o->publish,
                   "add noise that hides the key's traces up to 2^-BITS; for results that leave "
                   "the client")
      ->check(between(1, 40));
  add_json(*command, o->json);
  command->footer("Example:\n  sinter decrypt net.sinter --key client.key output.ct -o logits.npy");
  command->callback([=] { run_decrypt(*o); });
}

}  // namespace sinter::cli
