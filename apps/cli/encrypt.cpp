// SPDX-License-Identifier: Apache-2.0
// sinter encrypt: the client's first step, an image becomes a ciphertext.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/timer.h"
#include "ckks/encoder.h"
#include "ckks/secret_key.h"
#include "cli/config.h"
#include "cli/files.h"
#include "cli/table.h"
#include "cli/tensor_io.h"
#include "cli/verbs.h"
#include "encrypted/client.h"

namespace sinter::cli {
namespace {

struct Options {
  std::string program, key, input, output;
  std::optional<double> scale, offset;
  i64 index = 0;
  bool json = false;
};

Tensor read_image(const encrypted::EncryptedProgram& program, const Options& o) {
  InputScaling scaling = load_scaling(program.metadata);
  if (o.scale) scaling.scale = o.scale;
  if (o.offset) scaling.offset = o.offset;
  Shape shape = to_shape(program.input_dims);
  if (!shape.empty()) shape[0] = Dim::symbol("images");
  Tensor batch = read_input(o.input, program.input_name, DType::f32, shape, scaling);
  if (batch.rank() == 0) return batch;
  require(o.index < batch.dim(0), ErrorKind::bad_argument, o.input, ": --index ", o.index,
          ": the file holds ", batch.dim(0), " images, counted from 0");
  return take(batch, o.index, 1);
}

void run_encrypt(const Options& o) {
  const Timer timer;
  require_output(o.output, {o.program, o.key, o.input});
  const LoadedProgram loaded = read_program(o.program);
  const encrypted::EncryptedProgram& program = *loaded.program;
  const ckks::Context& context = *loaded.context;
  const auto key_file = MappedFile::open(o.key);
  const ckks::SecretKey secret = ckks::load_secret_key(context, key_file->bytes(), o.key);
  const std::vector<double> slots = encrypted::pack_input(program, read_image(program, o));
  const ckks::Plaintext plaintext =
      ckks::encode(context, slots, program.input_scale(), program.input_level());
  ring::SecretRng rng;
  ckks::Ciphertext ciphertext = ckks::encrypt_symmetric(context, secret, plaintext, rng);
  ciphertext.set_origin({secret.id(), program.hash});
  const i64 bytes = write_ciphertext(context, ciphertext, o.output);
  warn_if_insecure(context.params());
  if (o.json)
    return print(nlohmann::ordered_json{{"input", o.input},
                                        {"output", o.output},
                                        {"bytes", bytes},
                                        {"level", ciphertext.level()},
                                        {"security", context.params().security_text()},
                                        {"seconds", timer.wall_s()}}
                     .dump(2) +
                 "\n");
  print(fmt::format("{}: encrypted at level {}, {}, {}\n", o.output, ciphertext.level(),
                    bytes_text(bytes), seconds_text(timer.wall_s())));
}

}  // namespace

void add_encrypt(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("encrypt", "encrypt an image (client)");
  command->add_option("program", o->program, "compiled program")->required();
  command->add_option("--key", o->key, "secret key of the client")->required();
  command->add_option("--input", o->input, "PNG, .npy or TensorProto .pb")->required();
  command->add_option("--index", o->index, "which image of a .npy that holds several")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--scale", o->scale, "factor for integer pixels (default: the program's)");
  command->add_option("--offset", o->offset, "added to scaled pixels (default: the program's)");
  command->add_option("-o,--output", o->output, "write the ciphertext here")->required();
  add_json(*command, o->json);
  command->footer(
      "Example:\n  sinter encrypt net.sinter --key client.key --input image.png -o input.ct");
  command->callback([=] { run_encrypt(*o); });
}

}  // namespace sinter::cli
