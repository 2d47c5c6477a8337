# Run by cpack between installing and packing: adds to each component what Debian's policy asks of a
# package, and nobody needs who installs from the source. Strips as the policy says, which
# CPACK_STRIP_FILES does not.
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(add file)
  file(COPY_FILE ${CPACK_PACKAGING_FOLDER}/${file} ${ARGV1})
  file(CHMOD ${ARGV1} FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr)
  set(doc ${usr}/share/doc/${package})

  file(MAKE_DIRECTORY ${doc} ${usr}/share/lintian/overrides)
  add(copyright ${doc}/copyright)
  add(changelog ${doc}/changelog.Debian)
  add(../CHANGES.md ${doc}/changelog)
  add(overrides/${package} ${usr}/share/lintian/overrides/${package})
  file(GLOB pages ${usr}/share/man/man[0-9]/*.[0-9])
  run(gzip -9 -n ${pages} ${doc}/changelog ${doc}/changelog.Debian)

  file(GLOB linked ${usr}/sbin/* ${usr}/lib/*.so.*.*.* ${usr}/lib/*/*.so.*.*.*
    ${usr}/lib/nbdkit/plugins/*.so ${usr}/lib/*/nbdkit/plugins/*.so)
  file(GLOB archives ${usr}/lib/*.a ${usr}/lib/*/*.a)
  if(linked)
    run(strip --strip-unneeded --remove-section=.comment --remove-section=.note ${linked})
  endif()
  if(archives)
    run(strip --strip-debug --enable-deterministic-archives ${archives})
  endif()
endforeach()
