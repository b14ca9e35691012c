// SPDX-License-Identifier: Apache-2.0
#include "serve/mpi_transport.h"

#include "base/error.h"

#ifdef SINTER_MPI
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace sinter::serve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTag = 1;
constexpr i64 kMostBytes = std::numeric_limits<int>::max();  // of one message: MPI counts in int

/// One call at a time is what MPI_THREAD_SERIALIZED asks for; MPI itself is one per process.
std::mutex& mpi_mutex() {
  static std::mutex mutex;
  return mutex;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Between two questions to MPI. Large messages go on only inside its calls, so within a frame the
/// next question comes at once, the core offered to others first; who waits long for anything
/// sleeps and leaves its core to whoever computes.
class Pause {
 public:
  explicit Pause(double yield_s = 0) : yield_s_(yield_s) {}
  void operator()() const {
    const double waited = seconds();
    if (waited < yield_s_)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(waited < kShortSeconds ? kShort : kLong);
  }
  double seconds() const { return seconds_since(began_); }
  void restart() { began_ = Clock::now(); }

 private:
  static constexpr std::chrono::microseconds kShort{200}, kLong{2000};
  static constexpr double kShortSeconds = 0.05;
  double yield_s_;
  Clock::time_point began_ = Clock::now();
};

constexpr double kYieldSeconds = 0.005;  // within a frame

/// A frame is its header and the pieces of its payload, a message each; the receiver, which has the
/// payload in one buffer, learns from each message how long it is.
class MpiTransport : public Transport {
 public:
  MpiTransport(int rank, const TransportLimits& limits)
      : rank_(rank),
        peer_("rank " + std::to_string(rank)),
        limits_(limits),
        buffers_(std::make_shared<ring::BufferCache>(kKeptFrames * limits.max_payload)) {}

  void send(const Frame& frame) override {
    const std::lock_guard lock(sending_);
    check_whole();
    try {
      send_all(frame);
    } catch (...) {
      broken_ = true;
      unsent_ = frame.payload;
      throw;
    }
  }

  std::optional<Frame> receive(double seconds) override {
    check_whole();
    const Pause pause;
    while (!is_waiting()) {
      if (pause.seconds() >= seconds) return std::nullopt;
      pause();
    }
    try {
      return read_frame([this](std::span<std::byte> out) { receive_all(out); }, limits_.max_payload,
                        peer_, buffers_);
    } catch (...) {
      broken_ = true;
      throw;
    }
  }

  const std::string& peer() const override { return peer_; }

 private:
  void check_whole() const {
    require(!broken_, ErrorKind::io, peer_, ": the connection broke off within a frame");
  }

  bool is_waiting() const {
    const std::lock_guard lock(mpi_mutex());
    int found = 0;
    MPI_Iprobe(rank_, kTag, MPI_COMM_WORLD, &found, MPI_STATUS_IGNORE);
    return found != 0;
  }

  void send_all(const Frame& frame) const {
    std::vector<MPI_Request> requests;
    start_sending(frame.header, requests);
    for (const Payload::Piece& piece : frame.payload->pieces()) start_sending(piece, requests);
    Pause pause(kYieldSeconds);
    for (int left = int(requests.size()); left > 0;) {
      const int completed = test(requests);
      left -= completed;
      if (completed > 0) pause.restart();
      require(pause.seconds() < limits_.stall_s, ErrorKind::io, peer_, ": took nothing for ",
              limits_.stall_s, " s");
      if (left > 0) pause();
    }
  }

  void start_sending(std::span<const std::byte> data, std::vector<MPI_Request>& requests) const {
    while (!data.empty()) {
      const auto now = data.first(size_t(std::min(i64(std::ssize(data)), kMostBytes)));
      const std::lock_guard lock(mpi_mutex());
      MPI_Isend(now.data(), int(now.size()), MPI_BYTE, rank_, kTag, MPI_COMM_WORLD,
                &requests.emplace_back());
      data = data.subspan(now.size());
    }
  }

  /// How many of them were completed since the last time.
  static int test(std::vector<MPI_Request>& requests) {
    const std::lock_guard lock(mpi_mutex());
    std::vector<int> which(requests.size());
    int count = 0;
    MPI_Testsome(int(requests.size()), requests.data(), &count, which.data(), MPI_STATUSES_IGNORE);
    return count == MPI_UNDEFINED ? 0 : count;
  }

  /// The next messages, until they have filled `out`.
  void receive_all(std::span<std::byte> out) const {
    while (!out.empty()) {
      std::vector<MPI_Request> request;
      out = out.subspan(size_t(start_receiving(out, request)));
      Pause pause(kYieldSeconds);
      while (test(request) == 0) {
        require(pause.seconds() < limits_.stall_s, ErrorKind::io, peer_, ": sent nothing for ",
                limits_.stall_s, " s in the middle of a frame");
        pause();
      }
    }
  }

  /// Returns the size of the next message, which is being received into the beginning of `out`.
  i64 start_receiving(std::span<std::byte> out, std::vector<MPI_Request>& request) const {
    for (Pause pause(kYieldSeconds);; pause()) {
      require(pause.seconds() < limits_.stall_s, ErrorKind::io, peer_, ": sent nothing for ",
              limits_.stall_s, " s in the middle of a frame");
      const std::lock_guard lock(mpi_mutex());
      int found = 0, count = 0;
      MPI_Message message;
      MPI_Status status;
      MPI_Improbe(rank_, kTag, MPI_COMM_WORLD, &found, &message, &status);
      if (found == 0) continue;
      MPI_Get_count(&status, MPI_BYTE, &count);
      require(count > 0 && count <= std::ssize(out), ErrorKind::bad_input, peer_,
              ": expected a message of at most ", out.size(), " bytes, found ", count);
      MPI_Imrecv(out.data(), count, MPI_BYTE, &message, &request.emplace_back());
      return count;
    }
  }

  static constexpr i64 kKeptFrames = 2;  ///< of the largest payload: buffers kept for the next

  int rank_;
  std::string peer_;
  TransportLimits limits_;
  std::shared_ptr<ring::BufferCache> buffers_;  ///< of payloads received
  std::mutex sending_;
  std::shared_ptr<const Payload> unsent_;  ///< of a frame that broke off: MPI may still read it
  std::atomic<bool> broken_ = false;
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
  MPI_Comm here;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &here);
  MPI_Comm_size(here, &size_here_);
  MPI_Comm_free(&here);
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
