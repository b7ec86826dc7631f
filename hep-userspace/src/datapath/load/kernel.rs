//! From the embedded object to loaded programs and their maps.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    thread,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData, PerCpuArray},
    programs::{self, ProgramError, SchedClassifier},
};
use aya_log::Level;
use hep_common::decision::RECORD_DECISIONS;

use super::{decisions::Decisions, features, options::LoadOptions, sender::Sender};
use crate::{
    datapath::{
        KernelError, Maps, SeedFlow,
        apply::{mirror::Mirror, tables::InForce, text::Text},
        object::{embedded, names, program::Program},
        pins::{
            adopt,
            directory::Pins,
            displaced::Displaced,
            other_version::{self, Former},
        },
        read::maps::data_of,
        sys::{bpf, threads::join},
    },
    model::LogLevel,
};

/// The kernel's half of one instance: programs, maps and pins.
#[derive(Debug)]
pub struct Kernel {
    pub(crate) ebpf: Ebpf,
    pub(crate) maps: Maps,
    pub(crate) decisions: Option<Decisions>,
    btf: Option<OwnedFd>,
    /// Every map of the object, for programs that aya does not load.
    descriptors: BTreeMap<String, OwnedFd>,
    displaced: Vec<Displaced>,
    connections: fn() -> Vec<SeedFlow>,
    /// Other versions, until every link is ours.
    formers: Vec<Former>,
    /// Keeps other writers out.
    pins: Option<Pins>,
    /// The tables in force, if this process put them there.
    pub(crate) in_force: Option<InForce>,
    /// The description in force, if this process wrote it, and those of the maps that it was written to last,
    /// by number.
    pub(crate) text: Text,
    pub(crate) texts: Vec<(u32, Text)>,
    /// No packet looks into the idle slots, and they are ready for the next load.
    pub(crate) is_settled: bool,
    /// The mirror of this host's own addresses.
    pub(crate) mirror: Mirror,
}

impl Kernel {
    /// Creates the maps, or adopts those that are pinned, and loads the programs.
    ///
    /// A pinned map of another size than requested is replaced: flows are copied, counters start again at 0.
    /// Flows of another `ABI_VERSION` are copied, too. Programs attached before keep using the old map; see
    /// [`Self::finish_adoption`].
    ///
    /// # Errors
    ///
    /// [`KernelError::Kernel`] if it failed and the running kernel lacks something,
    /// [`KernelError::Busy`] if another process has the pin directory open for writing,
    /// [`KernelError::Incompatible`] if a pinned map has another layout, else what failed.
    pub fn open(options: &LoadOptions) -> Result<Self, KernelError> {
        Self::adopt(options).map_err(|error| match features::lack() {
            Some(lack) => KernelError::Kernel {
                lack,
                source: Box::new(error),
            },
            None => error,
        })
    }

    fn adopt(options: &LoadOptions) -> Result<Self, KernelError> {
        let Some(path) = options.pins.as_deref() else {
            return Self::load(options, None);
        };
        let pins = Pins::prepare(path)?;
        let formers = other_version::find(path)?;
        let mut theirs = Vec::new();
        for former in &formers {
            theirs.extend(former.flows()?);
        }
        let options = &adopt::with_room(options, &pins, &theirs)?;
        let displaced = adopt::put_misfits_aside(&pins, options)?;
        match Self::load(options, Some(&pins)) {
            Ok(mut kernel) => {
                adopt::discard(&pins, &displaced)?;
                kernel.displaced = displaced;
                kernel.displaced.extend(theirs);
                kernel.formers = formers;
                kernel.carry_over()?;
                kernel.pins = Some(pins);
                Ok(kernel)
            }
            Err(error) => {
                adopt::restore(&pins, &displaced)?;
                Err(error)
            }
        }
    }

    fn load(options: &LoadOptions, pins: Option<&Pins>) -> Result<Self, KernelError> {
        let mut ebpf = create_maps(options, pins)?;
        let descriptors = descriptors(&ebpf)?;
        let mut by_name = BTreeMap::new();
        for name in names::OUTER.into_iter().chain(names::PLAIN) {
            let map = if name == names::DESCRIPTION {
                description(pins)?
            } else {
                ebpf.take_map(name).ok_or(KernelError::Missing(name))?
            };
            by_name.insert(name, map);
        }
        // Every map stays open until the programs are loaded.
        let decisions = options
            .record_decisions
            .then(|| ebpf.take_map(names::DECISION))
            .flatten()
            .map(PerCpuArray::try_from)
            .transpose()
            .map_err(KernelError::map(names::DECISION, "use"))?
            .map(Decisions::new);
        load_programs(&mut ebpf)?;
        Ok(Self {
            btf: types_of(&mut ebpf)?,
            descriptors,
            ebpf,
            maps: Maps::new(by_name),
            decisions,
            displaced: Vec::new(),
            connections: options.connections,
            formers: Vec::new(),
            pins: None,
            in_force: None,
            text: Text::default(),
            texts: Vec::new(),
            is_settled: false,
            mirror: Mirror::default(),
        })
    }

    pub(crate) fn btf(&self) -> Option<BorrowedFd<'_>> {
        self.btf.as_ref().map(OwnedFd::as_fd)
    }

    /// One of the object's maps.
    pub(crate) fn map_fd(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.descriptors.get(name).map(OwnedFd::as_fd)
    }

    /// The maps, for reading.
    #[must_use]
    pub const fn maps(&self) -> &Maps {
        &self.maps
    }

    /// The loaded program of one hook.
    ///
    /// # Panics
    ///
    /// Never: [`Self::open`] found both programs in the object.
    pub fn program(&mut self, which: impl Into<Program>) -> &mut SchedClassifier {
        program(&mut self.ebpf, which.into()).expect("open found both programs")
    }

    /// Copies flows that programs of a former process have put into maps that [`Self::open`] replaced, which
    /// the programs of this process do not read.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error.
    pub fn carry_over(&self) -> Result<(), KernelError> {
        adopt::carry_over(&self.maps, &self.displaced, self.connections)
    }

    /// Copies flows for the last time, and releases replaced maps and the directories of other versions. To
    /// be called when no program of a former process is attached any more.
    ///
    /// # Errors
    ///
    /// [`KernelError::Io`] with the kernel's error, [`KernelError::Directory`] if another version's directory
    /// cannot be removed.
    pub fn finish_adoption(&mut self) -> Result<(), KernelError> {
        self.carry_over()?;
        self.displaced.clear();
        self.formers.drain(..).try_for_each(Former::remove)
    }

    /// Whether nothing is known of the host's connections: no generation is in force, and no flows
    /// were found.
    ///
    /// # Errors
    ///
    /// [`KernelError::Map`] with the kernel's error.
    pub fn is_cold(&self) -> Result<bool, KernelError> {
        Ok(self.maps.control()?.generation == 0 && self.displaced.is_empty())
    }
}

/// Loads the programs, each in a thread of its own: the kernel verifies them at the same time.
fn load_programs(ebpf: &mut Ebpf) -> Result<(), KernelError> {
    thread::scope(|scope| {
        let mut workers = Vec::with_capacity(Program::ALL.len());
        for (name, program) in ebpf.programs_mut() {
            let which = Program::ALL.into_iter().find(|it| it.name() == name);
            if let (Some(which), programs::Program::SchedClassifier(program)) = (which, program) {
                workers.push(scope.spawn(move || program.load().map_err(refused(which))));
            }
        }
        workers.into_iter().try_for_each(join)
    })
}

fn program(ebpf: &mut Ebpf, which: Program) -> Result<&mut SchedClassifier, KernelError> {
    ebpf.program_mut(which.name())
        .and_then(|program| program.try_into().ok())
        .ok_or(KernelError::Missing(which.name()))
}

fn refused(which: Program) -> impl FnOnce(ProgramError) -> KernelError {
    move |source| KernelError::Program {
        name: which.name(),
        source: Box::new(source),
    }
}

/// The BTF object that describes the object's types, which its loaded programs hold.
fn types_of(ebpf: &mut Ebpf) -> Result<Option<OwnedFd>, KernelError> {
    let info = program(ebpf, Program::Ingress)?
        .info()
        .map_err(refused(Program::Ingress))?;
    info.btf_id()
        .map(bpf::btf_by_id)
        .transpose()
        .map_err(KernelError::io("the object", "describe the types of"))
}

/// Another descriptor of each map.
fn descriptors(ebpf: &Ebpf) -> Result<BTreeMap<String, OwnedFd>, KernelError> {
    let mut found = BTreeMap::new();
    for (name, map) in ebpf.maps() {
        if let Some(data) = data_of(map) {
            let descriptor = data.fd().as_fd().try_clone_to_owned();
            let fail = KernelError::io("of the object", "keep a");
            found.insert(name.to_owned(), descriptor.map_err(fail)?);
        }
    }
    Ok(found)
}

/// Creates or adopts the object's maps.
fn create_maps(options: &LoadOptions, pins: Option<&Pins>) -> Result<Ebpf, KernelError> {
    let log_level = match options.log_level {
        LogLevel::Off => 0,
        LogLevel::Info => Level::Info as u8,
        LogLevel::Debug => Level::Debug as u8,
    };
    let record_decisions = u8::from(options.record_decisions);
    // In test runs, every packet has a socket of this process's namespace, whoever it is to be from.
    let sender = if options.record_decisions {
        Sender::default()
    } else {
        Sender::find()
    };
    let mut loader = EbpfLoader::new();
    // Nothing in the object is relocated against the running kernel's types.
    loader.btf(None);
    loader.override_global(aya_log::LEVEL, &log_level, true);
    loader.override_global(RECORD_DECISIONS, &record_decisions, true);
    for (name, value) in sender.globals() {
        loader.override_global(name, value, true);
    }
    for (name, definition) in embedded::definitions()? {
        loader.map_max_entries(name, adopt::capacity(name, definition, options));
        if let Some(pins) = pins
            && adopt::is_pinned(name)
        {
            loader.map_pin_path(name, pins.path(name));
        }
    }
    loader
        .load(embedded::BYTES)
        .map_err(|error| KernelError::Load(Box::new(error)))
}

/// Creates or adopts the outer map of the description.
fn description(pins: Option<&Pins>) -> Result<Map, KernelError> {
    const NAME: &str = names::DESCRIPTION;
    let path = pins.map(|pins| pins.path(NAME));
    if let Some(path) = path.as_deref().filter(|path| path.exists()) {
        return MapData::from_pin(path)
            .and_then(Map::from_map_data)
            .map_err(KernelError::map(NAME, "adopt"));
    }
    let template = MapData::create(embedded::inner(NAME)?, NAME, None)
        .map_err(KernelError::map(NAME, "create"))?;
    let outer = bpf::create_array_of_maps(NAME, 2, template.fd().as_fd())
        .map_err(KernelError::io(NAME, "create"))?;
    let outer = MapData::from_fd(outer).map_err(KernelError::map(NAME, "create"))?;
    if let Some(path) = path {
        outer.pin(path).map_err(|error| KernelError::Map {
            map: NAME,
            operation: "pin",
            source: Box::new(aya::maps::MapError::PinError {
                name: Some(NAME.to_owned()),
                error,
            }),
        })?;
    }
    Map::from_map_data(outer).map_err(KernelError::map(NAME, "create"))
}
