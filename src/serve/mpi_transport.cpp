// SPDX-License-Identifier: Apache-2.0
#include "serve/mpi_transport.h"

#include "base/error.h"

#ifdef SINTER_MPI
#include <mpi.h>

#include <chrono>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>

namespace sinter::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kHeaderTag = 1, kPayloadTag = 2;
constexpr auto kPause = std::chrono::microseconds(200);

/// One call at a time is what MPI_THREAD_SERIALIZED asks for; MPI itself is one per process.
std::mutex& mpi_mutex() {
  static std::mutex mutex;
  return mutex;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class MpiTransport : public Transport {
 public:
  MpiTransport(int rank, const TransportLimits& limits)
      : rank_(rank), peer_("rank " + std::to_string(rank)), limits_(limits) {
    require(limits.max_payload <= std::numeric_limits<int>::max(), ErrorKind::unsupported, peer_,
            ": frames of ", limits.max_payload, " bytes are too large for one message");
  }

  void send(const Frame& frame) override {
    const std::lock_guard lock(sending_);
    send_all(frame.header, kHeaderTag);
    if (!frame.payload->bytes().empty()) send_all(frame.payload->bytes(), kPayloadTag);
  }

  std::optional<Frame> receive(double seconds) override {
    const Clock::time_point began = Clock::now();
    while (!is_waiting()) {
      if (seconds_since(began) >= seconds) return std::nullopt;
      std::this_thread::sleep_for(kPause);
    }
    Frame frame;
    receive_all(frame.header, kHeaderTag);
    const ParsedHeader header = parse_frame_header(frame.header, limits_.max_payload, peer_);
    const auto payload = std::make_shared<Payload>(header.payload_bytes);
    if (header.payload_bytes > 0) receive_all(payload->bytes(), kPayloadTag);
    check_payload(header, payload->bytes(), peer_);
    frame.info = header.info;
    frame.payload = payload;
    return frame;
  }

  const std::string& peer() const override { return peer_; }

 private:
  bool is_waiting() const {
    const std::lock_guard lock(mpi_mutex());
    int found = 0;
    MPI_Iprobe(rank_, kHeaderTag, MPI_COMM_WORLD, &found, MPI_STATUS_IGNORE);
    return found != 0;
  }

  /// Until the request is complete; then the buffer is free.
  void finish(MPI_Request request, std::string_view what) const {
    const Clock::time_point began = Clock::now();
    while (true) {
      {
        const std::lock_guard lock(mpi_mutex());
        int is_complete = 0;
        MPI_Test(&request, &is_complete, MPI_STATUS_IGNORE);
        if (is_complete != 0) return;
      }
      require(seconds_since(began) < limits_.stall_s, ErrorKind::io, peer_, ": ", what,
              " nothing for ", limits_.stall_s, " s");
      std::this_thread::sleep_for(kPause);
    }
  }

  void send_all(std::span<const std::byte> data, int tag) const {
    MPI_Request request;
    {
      const std::lock_guard lock(mpi_mutex());
      MPI_Isend(data.data(), int(data.size()), MPI_BYTE, rank_, tag, MPI_COMM_WORLD, &request);
    }
    finish(request, "took");
  }

  void receive_all(std::span<std::byte> data, int tag) const {
    MPI_Request request;
    {
      const std::lock_guard lock(mpi_mutex());
      MPI_Irecv(data.data(), int(data.size()), MPI_BYTE, rank_, tag, MPI_COMM_WORLD, &request);
    }
    finish(request, "sent");
  }

  int rank_;
  std::string peer_;
  TransportLimits limits_;
  std::mutex sending_;
};

}  // namespace

MpiJob::MpiJob() : exceptions_(std::uncaught_exceptions()) {
  int provided = 0;
  require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided) == MPI_SUCCESS,
          ErrorKind::io, "mpi: cannot start");
  require(provided >= MPI_THREAD_SERIALIZED, ErrorKind::io,
          "mpi: expected a library that may be called from several threads, found level ",
          provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

MpiJob::~MpiJob() {
  if (std::uncaught_exceptions() == exceptions_) MPI_Finalize();
}

std::shared_ptr<Transport> MpiJob::connect(int rank, const TransportLimits& limits) const {
  return std::make_shared<MpiTransport>(rank, limits);
}

}  // namespace sinter::serve

#else

namespace sinter::serve {

MpiJob::MpiJob() {
  require(false, ErrorKind::unsupported,
          "mpi: this sinter was built without MPI: configure with -DSINTER_MPI=ON");
}
MpiJob::~MpiJob() = default;

std::shared_ptr<Transport> MpiJob::connect(int, const TransportLimits&) const { return nullptr; }

}  // namespace sinter::serve

#endif
