# SPDX-License-Identifier: GPL-2.0
# What is installed, and the Debian packages made of it. Components: runtime (libkcr1),
# development (libkcr-dev), tools (kcr-tools).

install(TARGETS kcr EXPORT kcr-targets
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development)
install(TARGETS kcr-static EXPORT kcr-targets ARCHIVE COMPONENT development)
install(FILES include/kcr.h include/kcr_gate.h include/kcr_track.h include/kcr.hpp include/kcr_key.hpp
  include/kcr_track.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development)
# The kernel's headers, until the system's kernel headers have them
install(FILES "${KCR_UAPI}/linux/kcr.h" "${KCR_UAPI}/linux/kcr_track.h" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/kcr/linux
  COMPONENT development)

set(KCR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/kcr)
configure_package_config_file(cmake/kcr-config.cmake.in kcr-config.cmake
  INSTALL_DESTINATION ${KCR_CMAKE_DIR})
write_basic_package_version_file(kcr-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/kcr-config.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/kcr-config-version.cmake" DESTINATION ${KCR_CMAKE_DIR}
  COMPONENT development)
install(EXPORT kcr-targets NAMESPACE kcr:: DESTINATION ${KCR_CMAKE_DIR} COMPONENT development)

configure_file(cmake/kcr.pc.in kcr.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/kcr.pc" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)

file(GLOB KCR_MAN3 CONFIGURE_DEPENDS man/*.3)
# Every name that a page has leads to it
foreach(page IN LISTS KCR_MAN3)
  get_filename_component(page_name "${page}" NAME)
  file(STRINGS "${page}" names REGEX "^\\.Nm kcr_")
  foreach(name IN LISTS names)
    string(REGEX REPLACE "^\\.Nm ([a-z_]+).*" "\\1.3" alias "${name}")
    if(NOT alias STREQUAL page_name)
      file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/man/${alias}" ".so man3/${page_name}\n")
      list(APPEND KCR_MAN3_ALIASES "${CMAKE_CURRENT_BINARY_DIR}/man/${alias}")
    endif()
  endforeach()
endforeach()
install(FILES ${KCR_MAN3} ${KCR_MAN3_ALIASES} DESTINATION ${CMAKE_INSTALL_MANDIR}/man3
  COMPONENT development)

if(KCR_PACKAGES_TOOLS)
  add_subdirectory(../kcrctl kcrctl)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "KCR")
set(CPACK_PACKAGE_CONTACT "KCR maintainers <linux-kernel@vger.kernel.org>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_RESOURCE_FILE_LICENSE "${CMAKE_CURRENT_SOURCE_DIR}/../../LICENSE")
set(CPACK_COMPONENTS_ALL runtime development)
if(KCR_PACKAGES_TOOLS)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${CMAKE_CURRENT_BINARY_DIR}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libkcr1)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libkcr-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libkcr1 (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME kcr-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION admin)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "reuse of a program's own results through the kernel\n libkcr lets a program have the results of deterministic computations\n remembered in a domain of /dev/kcr, and looks them up without system calls.\n Without KCR in the kernel it computes.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "reuse of a program's own results through the kernel: headers\n The C and C++ headers, the static library and the manual pages of libkcr.")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION
  "tools of Kernel Computation Reuse\n kcrctl finds redundant work in a running system, shows what is reused, and has\n unmodified programs reuse the results of library functions.")
include(CPack)
