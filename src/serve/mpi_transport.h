// SPDX-License-Identifier: Apache-2.0
// Frames between the ranks of an MPI job. Built with the CMake option SINTER_MPI; without it every
// call is Error(unsupported), and nothing else of sinter knows about MPI.
//
// Both ends ask MPI for progress and sleep in between, so that a waiting rank leaves its core to
// whoever computes.
#pragma once
#include <memory>

#include "serve/transport.h"

namespace sinter::serve {

/// This process as a rank of its job. One per process. When it is left by an exception, the process
/// ends without MPI_Finalize and mpirun ends all other ranks.
class MpiJob {
 public:
  /// throws  Error(unsupported) in a build without MPI; Error(io) when MPI does not start or is not
  ///         safe with threads
  MpiJob();
  ~MpiJob();
  MpiJob(const MpiJob&) = delete;
  MpiJob& operator=(const MpiJob&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Ranks on the machine of this one.
  int size_here() const { return size_here_; }
  /// thread: transports of one process may be used by different threads
  std::shared_ptr<Transport> connect(int rank, const TransportLimits& limits) const;

 private:
  int rank_ = 0, size_ = 1, size_here_ = 1, exceptions_ = 0;
};

}  // namespace sinter::serve
