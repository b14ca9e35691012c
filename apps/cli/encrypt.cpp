// SPDX-License-Identifier: Apache-2.0
// sinter encrypt: the client's first step, images become ciphertexts: one file, in it as many
// ciphertexts for every run of the program as it has inputs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/secret_key.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "encrypted/client.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string program, key, input, output;
  std::optional<double> scale, offset;
  i64 index = 0, count = 0;  // count 0: one run
  bool all = false, json = false;
};

/// The images to encrypt, along the first dimension.
Tensor read_images(const encrypted::EncryptedProgram& program, const Options& o) {
  InputScaling scaling = load_scaling(program.metadata);
  if (o.scale) scaling.scale = o.scale;
  if (o.offset) scaling.offset = o.offset;
  Shape shape = to_shape(program.input_dims);
  if (!shape.empty()) shape[0] = Dim::symbol("images");
  Tensor batch = read_input(o.input, program.input_name, DType::f32, shape, scaling);
  if (batch.rank() == 0) return batch;
  require(o.index < batch.dim(0), ErrorKind::bad_argument, o.input, ": --index ", o.index,
          ": the file holds ", batch.dim(0), " images, counted from 0");
  const i64 left = batch.dim(0) - o.index;
  require(o.count <= left, ErrorKind::bad_argument, o.input, ": --count ", o.count,
          " from --index ", o.index, " on: the file holds ", batch.dim(0), " images");
  const i64 wanted = o.count > 0 ? o.count : program.batch;
  return take(batch, o.index, o.all ? left : std::min(wanted, left));
}

std::vector<ckks::Ciphertext> encrypt_images(const LoadedProgram& loaded,
                                             const ckks::SecretKey& secret, const Tensor& images) {
  const encrypted::EncryptedProgram& program = *loaded.program;
  const ckks::Context& context = *loaded.context;
  const i64 count = images.rank() == 0 ? 1 : images.dim(0);
  std::vector<ckks::Ciphertext> ciphertexts;
  ring::SecretRng rng;
  ProgressBar bar("encrypt");
  const Progress progress = bar.callback();
  for (i64 done = 0, run = 0; done < count; ++run) {
    const i64 taken = images_of_run(program, count, run);
    const Tensor part = images.rank() == 0 ? images.clone() : take(images, done, taken);
    for (const ckks::Plaintext& plaintext : encrypted::encode_input(program, context, part)) {
      ciphertexts.push_back(ckks::encrypt_symmetric(context, secret, plaintext, rng));
      ciphertexts.back().set_origin({secret.id(), program.hash});
    }
    done += taken;
    if (progress) progress(done, count, "encrypt");
  }
  return ciphertexts;
}

void run_encrypt(const Options& o) {
  const Timer timer;
  require_output(o.output, {o.program, o.key, o.input});
  const LoadedProgram loaded = read_program(o.program);
  const encrypted::EncryptedProgram& program = *loaded.program;
  const ckks::Context& context = *loaded.context;
  const auto key_file = MappedFile::open(o.key);
  const ckks::SecretKey secret = ckks::load_secret_key(context, key_file->bytes(), o.key);
  const Tensor images = read_images(program, o);
  const i64 count = images.rank() == 0 ? 1 : images.dim(0);
  require(count >= 1, ErrorKind::bad_argument, o.input, ": holds no image");
  const std::vector<ckks::Ciphertext> ciphertexts = encrypt_images(loaded, secret, images);
  const i64 bytes = write_ciphertexts(context, ciphertexts, program.input_count(), count, o.output);
  warn_if_insecure(context.params());
  if (o.json)
    return print(nlohmann::ordered_json{{"input", o.input},
                                        {"output", o.output},
                                        {"images", count},
                                        {"ciphertexts", ciphertexts.size()},
                                        {"bytes", bytes},
                                        {"level", program.input_level()},
                                        {"security", context.params().security_text()},
                                        {"seconds", timer.wall_s()}}
                     .dump(2) +
                 "\n");
  const std::string what = ciphertexts.size() == 1 && count == 1
                               ? ""
                               : fmt::format("{} images in {} ciphertexts, ", count_text(count),
                                             count_text(std::ssize(ciphertexts)));
  print(fmt::format("{}: {}encrypted at level {}, {}, {}\n", o.output, what, program.input_level(),
                    bytes_text(bytes), seconds_text(timer.wall_s())));
}

}  // namespace

void add_encrypt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("encrypt", "encrypt images (client)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("--key", o->key, "secret key of the client")->required();
  command->add_option("--input", o->input, "PNG, .npy or TensorProto .pb")->required();
  command->add_option("--index", o->index, "the first image to take of a .npy that holds several")
      ->check(at_least(0))
      ->capture_default_str();
  CLI::Option* all =
      command->add_flag("--all", o->all, "take every image from --index on, into one file");
  command
      ->add_option("--count", o->count,
                   "how many images to take (default: what one run of the program computes)")
      ->check(at_least(1))
      ->excludes(all);
  command->add_option("--scale", o->scale, "factor for integer pixels (default: the program's)");
  command->add_option("--offset", o->offset, "added to scaled pixels (default: the program's)");
  command->add_option("-o,--output", o->output, "write the ciphertexts here")->required();
  add_json(*command, o->json);
  command->footer(
      "Example:\n  sinter encrypt net.sinter --key client.key --input image.png -o input.ct");
  command->callback([=] { run_encrypt(*o); });
}

}  // namespace sinter::cli
