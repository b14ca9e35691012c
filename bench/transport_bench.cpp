// SPDX-License-Identifier: Apache-2.0
// Frames from one process to another through this one, as ciphertexts go from worker to worker
// through the coordinator: GB a second and CPU seconds of all three a GB, as one line of JSON.
//
//   transport_bench [--transport socket|mpi] [--mib 20] [--frames 50]
//   mpirun -n 3 transport_bench --transport mpi
//
// The payload is sent from limbs of 512 KiB (N = 2^16) and copied into limbs by its receiver, as a
// ciphertext is decoded; every frame is answered before the next is asked for.
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/timer.h"
#include "serve/mpi_transport.h"
#include "serve/socket_transport.h"

namespace sinter::serve {
namespace {

constexpr i64 kMiB = i64(1) << 20, kLimbWords = i64(1) << 16;
constexpr double kWaitSeconds = 60;

struct Request {
  std::string transport = "socket";
  i64 mib = 20, frames = 50;
};

Request parse(int argc, char** argv) {
  Request r;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    require(i + 1 < argc, ErrorKind::bad_argument, name, ": expected a value");
    const std::string value = argv[i + 1];
    if (name == "--transport")
      r.transport = value;
    else if (name == "--mib")
      r.mib = std::stoll(value);
    else if (name == "--frames")
      r.frames = std::stoll(value);
    else
      require(false, ErrorKind::bad_argument, "unknown option ", name);
  }
  return r;
}

double cpu_seconds() {
  timespec t;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

Frame receive(Transport& from) {
  std::optional<Frame> frame = from.receive(kWaitSeconds);
  require(frame.has_value(), ErrorKind::io, from.peer(), ": silent");
  return *frame;
}

/// What a process says at its end: its CPU seconds since it began to serve.
Frame seconds_frame(double seconds) {
  return make_frame({FrameKind::done, 0, 0, 0}, std::as_bytes(std::span(&seconds, 1)));
}

double seconds_of(const Frame& frame) {
  double seconds = 0;
  frame.payload->copy_to(std::as_writable_bytes(std::span(&seconds, 1)), 0);
  return seconds;
}

using Limbs = std::vector<std::vector<u64>>;

/// Answers a task with a frame made of its limbs, a value by copying it; ends at a stop.
void serve(Transport& to, i64 mib) {
  const auto limbs = std::make_shared<Limbs>(size_t(mib * kMiB / (kLimbWords * i64(sizeof(u64)))),
                                             std::vector<u64>(kLimbWords, 7));
  std::vector<Payload::Piece> pieces;
  for (const std::vector<u64>& limb : *limbs) pieces.push_back(std::as_bytes(std::span(limb)));
  const u64 head[3] = {};
  double began = cpu_seconds();
  while (true) {
    const Frame frame = receive(to);
    if (frame.info.kind == FrameKind::stop) return to.send(seconds_frame(cpu_seconds() - began));
    if (frame.info.kind == FrameKind::release) began = cpu_seconds();  // the warm-up is over
    if (frame.info.kind == FrameKind::task)
      to.send(make_frame(
          {FrameKind::value, 0, 0, 0},
          std::make_shared<const Payload>(std::as_bytes(std::span(head)), pieces, limbs)));
    if (frame.info.kind != FrameKind::value) continue;
    i64 at = i64(sizeof(head));
    for (std::vector<u64>& limb : *limbs) {
      frame.payload->copy_to(std::as_writable_bytes(std::span(limb)), at);
      at += i64(limb.size() * sizeof(u64));
    }
    to.send(make_frame({FrameKind::pong, 0, 0, 0}));
  }
}

void forward(Transport& from, Transport& to, i64 frames) {
  for (i64 k = 0; k < frames; ++k) {
    from.send(make_frame({FrameKind::task, 0, 0, 0}));
    to.send(receive(from));
    receive(to);
  }
}

void measure(Transport& from, Transport& to, const Request& r) {
  forward(from, to, 3);
  for (Transport* t : {&from, &to}) t->send(make_frame({FrameKind::release, 0, 0, 0}));
  const Timer timer;
  const double began = cpu_seconds();
  forward(from, to, r.frames);
  const double wall = timer.wall_s();
  double cpu = cpu_seconds() - began;
  const double own = cpu;
  for (Transport* t : {&from, &to}) {
    t->send(make_frame({FrameKind::stop, 0, 0, 0}));
    cpu += seconds_of(receive(*t));
  }
  const double gb = 1e-9 * double(r.frames * r.mib * kMiB);
  std::printf(
      "{\"transport\": \"%s\", \"mib\": %lld, \"gb_per_s\": %.3f, \"cpu_s_per_gb\": %.3f, "
      "\"of_the_middle\": %.3f}\n",
      r.transport.c_str(), static_cast<long long>(r.mib), gb / wall, cpu / gb, own / gb);
}

std::shared_ptr<Transport> start(const Request& r, const TransportLimits& limits) {
  auto [ours, theirs] = make_socket_pair();
  const pid_t pid = ::fork();  // no thread runs yet
  require(pid >= 0, ErrorKind::io, "fork: ", std::strerror(errno));
  if (pid > 0) return make_socket_transport(std::move(ours), "worker", limits);
  { const FileDescriptor closed = std::move(ours); }
  serve(*make_socket_transport(std::move(theirs), "coordinator", limits), r.mib);
  ::_exit(0);
}

void run(const Request& r) {
  const TransportLimits limits{r.mib * kMiB + kMiB, kWaitSeconds};
  if (r.transport == "mpi") {
    const MpiJob job;
    require(job.size() == 3, ErrorKind::bad_argument, "expected 3 ranks, found ", job.size());
    if (job.rank() > 0) return serve(*job.connect(0, limits), r.mib);
    return measure(*job.connect(1, limits), *job.connect(2, limits), r);
  }
  const auto from = start(r, limits);
  const auto to = start(r, limits);
  measure(*from, *to, r);
}

}  // namespace
}  // namespace sinter::serve

int main(int argc, char** argv) {
  try {
    sinter::serve::run(sinter::serve::parse(argc, argv));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "transport_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
