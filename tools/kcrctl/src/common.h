// SPDX-License-Identifier: GPL-2.0
#pragma once

#include "result.h"
#include "text.h"

namespace kcr::ctl
{

using tool::Error;
using tool::Result;
using tool::Status;

} // namespace kcr::ctl
